"""The rotation drill: every key and certificate changes while requests go on, and one key is blocked.

OCEN v3 lets each side have two keys, so that they "can be rotated without any downtime" (seed 002, How are the keys
managed), and has a key that somebody else may know blocked at once.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.caller import Caller
from sandbox.drill.course import Course, Tell
from sandbox.drill.report import DrillRefusal, DrillReport, Key
from sandbox.drill.traffic import Traffic
from sandbox.drill.witness import Answer, repeat_request
from sandbox.holders import Nodes
from sandbox.pair import started_pair
from sandbox.pki.renewal import Renewal, prepare_renewal
from sandbox.preparation import temporary_settings
from sandbox.running import connected
from sandbox.settings import NodeName
from sandbox.spoiled import Insider, lsp_and_lender_of
from shared.clock import SystemClock
from shared.node.identity import load_own_key
from shared.protocol.participants import KeyStatus
from shared.protocol.signing import SigningKey

LENDER: Final = "LENDER01"
LSP: Final = "LSP123"

AT_ONCE: Final = 1.0
"""Seconds within which a block or a removal has to count."""

WHY: Final = "rotation drill"


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """How many seconds the drill lasts, about, and how many requests go out in each of them."""

    seconds: float
    rate: float


def run(plan: RotationPlan, tell: Tell) -> DrillReport:
    """Run the drill on a pair of its own; `tell` is given the report again and again, as it grows.

    Raises SandboxError, NodeDiedError if the pair cannot do what it is told.
    """
    clock = SystemClock()
    with ExitStack() as stack:
        settings = temporary_settings(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ocen-drill-"))))
        pair = stack.enter_context(started_pair(settings))
        nodes = stack.enter_context(connected(settings.folders))
        lsp, lender = lsp_and_lender_of(pair.run)
        caller = stack.enter_context(closing(Caller(lender, lsp.tls_context())))
        traffic = Traffic(nodes[NodeName.LSP], LENDER, plan.rate, clock)
        course = Course(nodes, traffic, tell, clock)
        script = RotationScript(nodes, settings.folders.certs, course, lsp, caller)
        course.note(f"requests go out, {plan.rate:g} a second")
        with traffic:
            for step in script.steps:
                course.go_on(plan.seconds / (len(script.steps) + 1))
                step()
            course.go_on(plan.seconds / (len(script.steps) + 1))
        course.note("no more requests go out")
        return course.end()


class RotationScript:
    """What is done, step by step; each step is done by the operators of the two nodes."""

    def __init__(self, nodes: Nodes, certs: Path, course: Course, lsp: Insider, caller: Caller) -> None:
        """`lsp` is what somebody has got hold of, who then calls the lender by `caller`."""
        self._lsp, self._lender, self._certs = nodes[NodeName.LSP], nodes[NodeName.LENDER], certs
        self._course = course
        self._insider, self._caller = lsp, caller
        self._first, self._second, self._third = lsp.identity.signing_key, lsp.identity.backup_keys[0], ""
        lender = self._lender.identity()
        self._lender_backup = lender["backup_kids"][0]
        self._former = ""
        self._renewal: Renewal
        self._name(LSP, self._first.kid, self._second.kid)
        self._name(LENDER, lender["kid"], self._lender_backup)

    @property
    def steps(self) -> tuple[Callable[[], None], ...]:
        """The steps in their order."""
        return (
            self._lsp_switches_to_its_back_up,
            self._first_key_is_retired,
            self._third_key_is_made,
            self._lsp_switches_to_the_third_key,
            self._second_key_is_blocked,
            self._lender_switches_to_its_back_up,
            self._new_certificate_is_registered,
            self._lsp_shows_the_new_certificate,
            self._former_certificate_is_removed,
        )

    def _lsp_switches_to_its_back_up(self) -> None:
        self._lsp.change_key(LSP, self._second.kid, KeyStatus.ACTIVE, WHY)
        self._course.note(f"{LSP} switches to its back-up, key 2")

    def _first_key_is_retired(self) -> None:
        self._lsp.change_key(LSP, self._first.kid, KeyStatus.RETIRED, WHY)
        self._course.settle()  # what key 1 has signed arrives before the lender forgets it
        self._lender.change_key(LSP, self._first.kid, KeyStatus.RETIRED, WHY)
        self._course.note(f"{LSP}, and then {LENDER}, retires key 1")

    def _third_key_is_made(self) -> None:
        self._third = self._lsp.make_key(reason=WHY)["kid"]
        self._course.report.keys.append(Key(self._third, LSP, "key 3"))
        known = self._lsp.participant(LSP)
        assert known is not None
        made = next(key for key in known["keys"] if key["kid"] == self._third)
        self._lender.add_key(LSP, made["pem"], self._third, WHY)
        self._course.note(f"{LSP} makes key 3 and tells {LENDER}")

    def _lsp_switches_to_the_third_key(self) -> None:
        self._lsp.change_key(LSP, self._third, KeyStatus.ACTIVE, WHY)
        self._course.note(f"{LSP} switches to key 3")

    def _second_key_is_blocked(self) -> None:
        self._course.settle()  # what key 2 has signed arrives before the lender blocks it
        before, begun = self._attempt(self._second), self._course.clock.elapsed()
        self._lender.change_key(LSP, self._second.kid, KeyStatus.BLOCKED, "stolen")
        self._course.note(f"key 2 is stolen: {LENDER} blocks it")
        answer = self._attempt(self._second)
        what = "signed with the blocked key 2, over a connection that was open before"
        is_right = before.is_accepted and answer.is_refused_by("kid_selects_a_key_that_counts")
        self._conclude(what, answer, begun, self._second.kid, is_right=is_right)
        self._lsp.change_key(LSP, self._second.kid, KeyStatus.BLOCKED, "stolen")

    def _lender_switches_to_its_back_up(self) -> None:
        self._lender.change_key(LENDER, self._lender_backup, KeyStatus.ACTIVE, WHY)
        self._course.note(f"{LENDER} switches to its back-up, key 2")

    def _new_certificate_is_registered(self) -> None:
        self._former = self._lsp.identity()["certificate"]
        self._renewal = prepare_renewal(self._certs, LSP, self._course.clock.now(), new_key=True)
        self._lender.add_certificate(LSP, self._renewal.pem, WHY)
        self._course.note(f"{LENDER} registers {LSP}'s new certificate")

    def _lsp_shows_the_new_certificate(self) -> None:
        self._renewal.put_in_place(self._lsp.renew_certificate)
        self._course.note(f"{LSP} shows its new certificate")

    def _former_certificate_is_removed(self) -> None:
        self._course.settle()  # what is under way over the old certificate arrives before it is removed
        key = load_own_key(self._insider.identity.tls_certificate.with_name(f"{self._third}.key"), self._third)
        before, begun = self._attempt(key), self._course.clock.elapsed()
        self._lender.remove_certificate(LSP, self._former, WHY)
        self._course.note(f"{LENDER} removes the old certificate")
        answer = self._attempt(key)
        what = "signed with key 3, over a connection opened before with the removed certificate"
        is_right = before.is_accepted and answer.is_refused_by("certificate_is_registered")
        self._conclude(what, answer, begun, key.kid, is_right=is_right)
        with closing(self._caller.anew()) as caller:
            answer = self._attempt(key, caller)
        what = "signed with key 3, over a new connection with the removed certificate"
        self._conclude(what, answer, begun, "", is_right=answer.status is None)

    def _attempt(self, key: SigningKey, caller: Caller | None = None) -> Answer:
        request_id, now = self._course.accepted_request, self._course.clock.now()
        return repeat_request(caller or self._caller, self._insider, request_id, key, now)

    def _conclude(self, what: str, answer: Answer, begun: float, kid: str, *, is_right: bool) -> None:
        seconds = self._course.clock.elapsed() - begun
        refusal = DrillRefusal(what, str(answer), seconds, is_right and seconds < AT_ONCE)
        self._course.refusal(refusal, kid)

    def _name(self, organisation_id: str, *kids: str) -> None:
        self._course.report.keys += [Key(kid, organisation_id, f"key {n}") for n, kid in enumerate(kids, 1)]
