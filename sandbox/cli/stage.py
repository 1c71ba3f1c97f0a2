"""The demo's picture: each message and ack as an arrow, with the checks of whoever received it."""

from collections.abc import Collection, Sequence

from rich.text import Text

from sandbox.cli.diagram import SequenceDiagram, leaves
from sandbox.cli.screen import FAILED, PASSED, screen, step_names
from sandbox.demo import Scene, Sms
from sandbox.following import Passage, Record
from sandbox.tampered import TamperedOutcome
from shared.protocol.problems import Problem


class Stage:
    """Draws one diagram below the other: the one who asks at the left, the one who is asked at the right."""

    def __init__(self, *, every_check: bool, told: Collection[str] | None = None) -> None:
        """`every_check` names checks also where the same ones were named before.

        `told` are the members of payloads that are shown; None shows all.
        """
        self.passages: list[Passage] = []
        self._every_check = every_check
        self._told = told
        self._named: list[tuple[str, ...]] = []
        self._is_empty = True
        self._right = ""
        self._diagram: SequenceDiagram

    def open(self, title: str, left: str, right: str) -> None:
        """Begin a picture between two parties."""
        console = screen()
        console.print(f"{title}\n" if self._is_empty else f"\n{title}\n", style="bold")
        self._is_empty, self._right = False, right
        self._diagram = SequenceDiagram(console, left, right)

    def call(self, caller: str, request: str, answer: str, *said: Text) -> None:
        """Show a call of `caller` that is no message of OCEN, its answer, and what that says."""
        self._diagram.gap()
        self._diagram.arrow(caller, Text(request, style="bold"))
        self._diagram.arrow(self._right, Text(answer))
        for line in said:
            self._diagram.text(line, hang=2)

    def tell(self, scene: Scene) -> None:
        """Show a scene, and keep it if it is a passage."""
        if isinstance(scene, Sms):
            self._sms(scene)
        else:
            self.passages.append(scene)
            self._passage(scene)

    def _sms(self, sms: Sms) -> None:
        """Show the text to the borrower, beside the lender who sends it."""
        before, otp, after = sms.text.partition(sms.otp)
        self._diagram.gap()
        text = Text(f"SMS to {sms.recipient}: {before}", "magenta").append(otp, "bold magenta").append(after, "magenta")
        self._diagram.text(text, at=self._right)

    def _passage(self, step: Passage) -> None:
        """Show a message, its ack, and what both sides found."""
        since = (step.sent_at - self.passages[0].sent_at).total_seconds() * 1000
        self._diagram.gap()
        self._diagram.text(leaves(step.content, self._told), at=step.sender)
        self._diagram.arrow(step.sender, Text(f"{len(self.passages)} {_name(step.message)}", style="bold"), since)
        self._checks(step.checks, step.receiver)
        answer = f"signed ack, error {step.ack['error']}" if step.ack is not None else "no ack"
        self._diagram.arrow(step.receiver, Text(answer), since + step.milliseconds)
        self._checks(step.ack_checks, step.sender)

    def refusal(self, refusal: TamperedOutcome) -> None:
        """Show the changed message, and the signed refusal with its reason."""
        self._diagram.gap()
        change = refusal.change
        changed = Text(f"{change.member} ", style="dim").append(change.signed, style="green")
        changed.append(" when it was signed, ", style="dim").append(change.now, style="bold red").append(
            " now", style="dim"
        )
        self._diagram.text(changed)
        self._diagram.arrow(refusal.sender, Text(_name(refusal.message), style="bold"))
        self._checks(refusal.checks, refusal.receiver)
        error = refusal.ack.get("error", "none")
        meaning = next((problem.meaning for problem in Problem if problem.code == error), "")
        answer = Text(f"signed refusal, HTTP {refusal.status}, error {error}", style="bold yellow")
        self._diagram.arrow(refusal.receiver, answer)
        self._diagram.text(Text(f"{error}: {meaning}", style="yellow"))
        self._checks(refusal.ack_checks, refusal.sender)

    def _checks(self, checks: Sequence[Record], by: str) -> None:
        """Show what `by` has found in the message that came to it."""
        passed = tuple(step["check"] for step in checks if step["outcome"] == "passed")
        longer = () if self._every_check else (names for names in self._named if names[: len(passed)] == passed)
        before = next(iter(longer), None)
        which = "" if before is None else "the same " if before == passed else "the first "
        self._diagram.text(Text(f"{PASSED} {which}{len(passed)} checks by {by}", style="green"), at=by)
        if before is None:
            self._diagram.text(step_names(checks, self._diagram.room))
            self._named.append(passed)
        for step in checks:
            if step["outcome"] == "failed":
                self._failure(step)

    def _failure(self, step: Record) -> None:
        self._diagram.text(Text(f"{FAILED} {step['check']}", style="bold red"))
        for line in (f"{step['text']}.", f"expected  {step['expected']}", f"found     {step['found']}"):
            self._diagram.text(Text(f"  {line}", style="red"), hang=12 if line.startswith(("expected", "found")) else 2)


def _name(message: str) -> str:
    """Return the name of a message by its key; the picture's title says the version."""
    return message.rpartition("/")[2]
