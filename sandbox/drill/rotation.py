"""The rotation drill: every key and certificate changes while requests go on, and one key is blocked.

OCEN v3 lets each side have two keys, so that they "can be rotated without any downtime" (OCEN v3 Security,
How are the keys managed), and has a key that somebody else may know blocked at once.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from sandbox.drill.course import Course, Tell
from sandbox.drill.report import DrillRefusal, DrillReport, Key
from sandbox.drill.traffic import Answer, Traffic, repeat_request
from sandbox.holders import Nodes, own_details
from sandbox.insider import Caller, Insider, lsp_and_lender_of
from sandbox.pair import started_pair
from sandbox.pki.folder import initialise
from sandbox.pki.renewal import prepare_renewals, put_in_place
from sandbox.preparation import temporary_settings
from sandbox.running import connected
from sandbox.settings import NodeName
from shared.clock import SystemClock
from shared.node.identity import load_own_key
from shared.protocol.participants import KeyStatus, Participant
from shared.protocol.signing import SigningKey

LENDER: Final = "LENDER01"
LSP: Final = "LSP123"

STEPS: Final = 9

AT_ONCE: Final = 1.0
"""Seconds within which a block or a removal has to count."""

WHY: Final = "rotation drill"


def run(seconds: float, rate: float, tell: Tell) -> DrillReport:
    """Run the drill for about so many seconds on a pair of its own, with `rate` requests in each of them.

    `tell` is given the report again and again, as it grows.

    Raises SandboxError, NodeDiedError if the pair cannot do what it is told.
    """
    clock = SystemClock()
    with ExitStack() as stack:
        settings = temporary_settings(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ocen-drill-"))))
        lsp_of_two = replace(settings.organisation(NodeName.LSP), has_two_certificates=True)
        initialise(settings.folders.certs, [lsp_of_two], (), clock.now())
        pair = stack.enter_context(started_pair(settings))
        nodes = stack.enter_context(connected(settings.folders))
        traffic = Traffic(nodes[NodeName.LSP], LENDER, rate, clock)
        course = Course(nodes, traffic, tell, clock)
        rotation = Rotation(nodes, settings.folders.certs, course, *lsp_and_lender_of(pair.run))
        course.note(f"requests go out, {rate:g} a second")
        with traffic:
            course.go_on(seconds / (STEPS + 1))
            for _ in rotation.steps():
                course.go_on(seconds / (STEPS + 1))
        course.note("no more requests go out")
        return course.end()


class Rotation:
    """What the operators of the two nodes do, and what an insider of the LSP tries meanwhile."""

    def __init__(self, nodes: Nodes, certs: Path, course: Course, insider: Insider, receiver: Participant) -> None:
        self._lsp, self._lender, self._certs = nodes[NodeName.LSP], nodes[NodeName.LENDER], certs
        self._course, self._insider, self._receiver = course, insider, receiver
        self._third = ""
        theirs = self._lender.identity()
        self._name_keys(LENDER, theirs["kid"], theirs["backup_kids"][0])

    def steps(self) -> Iterator[None]:
        """Go on by a step each time: `STEPS` of them."""
        with closing(Caller(self._insider, self._receiver)) as caller:
            yield from self._lsp_changes_its_keys()
            yield from self._second_key_is_stolen(caller)
            yield from self._certificate_changes(caller)

    def _lsp_changes_its_keys(self) -> Iterator[None]:
        lsp, lender, course, own = self._lsp, self._lender, self._course, self._insider.identity
        first, second = own.signing_key.kid, own.backup_keys[0].kid
        self._name_keys(LSP, first, second)
        lsp.change_key(LSP, second, KeyStatus.ACTIVE, WHY)
        course.note(f"{LSP} switches to its back-up, key 2")
        yield
        lsp.change_key(LSP, first, KeyStatus.RETIRED, WHY)
        course.settle()  # what key 1 has signed arrives before the lender forgets it
        lender.change_key(LSP, first, KeyStatus.RETIRED, WHY)
        course.note(f"{LSP}, and then {LENDER}, retires key 1")
        yield
        self._third = lsp.make_key(reason=WHY)["kid"]
        course.report.keys.append(Key(self._third, LSP, "key 3"))
        made = next(key["pem"] for key in own_details(lsp)["keys"] if key["kid"] == self._third)
        lender.add_key(LSP, made, self._third, WHY)
        course.note(f"{LSP} makes key 3 and tells {LENDER}")
        yield
        lsp.change_key(LSP, self._third, KeyStatus.ACTIVE, WHY)
        course.note(f"{LSP} switches to key 3")
        yield

    def _second_key_is_stolen(self, caller: Caller) -> Iterator[None]:
        lsp, lender, course, stolen = self._lsp, self._lender, self._course, self._insider.identity.backup_keys[0]
        course.settle()  # what key 2 has signed arrives before the lender blocks it
        before, begun = self._attempt(caller, stolen), course.clock.elapsed()
        lender.change_key(LSP, stolen.kid, KeyStatus.BLOCKED, "stolen")
        course.note(f"key 2 is stolen: {LENDER} blocks it")
        answer = self._attempt(caller, stolen)
        what = "signed with the blocked key 2, over a connection that was open before"
        is_right = before.is_accepted and answer.is_refused_by("kid_selects_a_key_that_counts")
        self._conclude(what, answer, begun, stolen.kid, is_right=is_right)
        lsp.change_key(LSP, stolen.kid, KeyStatus.BLOCKED, "stolen")
        yield
        lender.change_key(LENDER, lender.identity()["backup_kids"][0], KeyStatus.ACTIVE, WHY)
        course.note(f"{LENDER} switches to its back-up, key 2")
        yield

    def _certificate_changes(self, caller: Caller) -> Iterator[None]:
        lsp, lender, course = self._lsp, self._lender, self._course
        former = lsp.identity()["client_certificate"]
        renewals = prepare_renewals(self._certs, LSP, course.clock.now(), new_key=True)
        for renewal in renewals:
            lender.add_certificate(LSP, renewal.pem, WHY)
        course.note(f"{LENDER} registers {LSP}'s new certificates, for serving and for calling")
        yield
        put_in_place(renewals, lsp.renew_certificate)
        course.note(f"{LSP} shows its new certificates")
        yield
        course.settle()  # what is under way over the old certificate arrives before it is removed
        key = load_own_key(self._insider.identity.tls_certificate.with_name(f"{self._third}.key"), self._third)
        before, begun = self._attempt(caller, key), course.clock.elapsed()
        lender.remove_certificate(LSP, former, WHY)
        course.note(f"{LENDER} removes the old certificate for calling")
        answer = self._attempt(caller, key)
        what = "signed with key 3, over a connection opened before with the removed certificate"
        is_right = before.is_accepted and answer.is_refused_by("certificate_is_registered")
        self._conclude(what, answer, begun, key.kid, is_right=is_right)
        with closing(Caller(self._insider, self._receiver)) as another:
            answer = self._attempt(another, key)
        what = "signed with key 3, over a new connection with the removed certificate"
        self._conclude(what, answer, begun, "", is_right=answer.status is None)
        yield

    def _attempt(self, caller: Caller, key: SigningKey) -> Answer:
        return repeat_request(caller, self._course.accepted_request, key, self._course.clock.now())

    def _conclude(self, what: str, answer: Answer, begun: float, kid: str, *, is_right: bool) -> None:
        seconds = self._course.clock.elapsed() - begun
        refusal = DrillRefusal(what, str(answer), seconds, is_right and seconds < AT_ONCE)
        self._course.refusal(refusal, kid)

    def _name_keys(self, organisation_id: str, *kids: str) -> None:
        self._course.report.keys += [Key(kid, organisation_id, f"key {n}") for n, kid in enumerate(kids, 1)]
