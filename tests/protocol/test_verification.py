"""How an examination proceeds: what is not reached, what is not judged, and that nothing passes by default."""

import gc
import weakref
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from sandbox.offline import Holder, verify
from shared.catalogue.bodies.v3.loan_acceptance import TriggerLoanAcceptanceRequest
from shared.catalogue.table import get_message
from shared.node.receive.verify import Refused
from shared.protocol.checks import REQUEST_CHECKS
from shared.protocol.checks.journal import nonce_is_new
from shared.protocol.checks.opening import MOST_NAMED, kid_is_given, names_of
from shared.protocol.checks.payload import content_fits_the_message
from shared.protocol.messages import MessageType
from shared.protocol.participants import Participant
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from shared.protocol.profiles import V3
from shared.protocol.tampering import TAMPERINGS, GoodMessage
from shared.protocol.verification import Finding, History, Outcome, Phase, Verification, check, first_failure
from tests.equipment.verifying import verification_of, verify_at_once
from tests.protocol.receiver import NOW, Receiver, arrived

MESSAGE = get_message("v3", "TriggerLoanAcceptanceRequest")


def outcomes(verification: Verification) -> dict[str, Outcome]:
    return {step.check.name: step.outcome for step in verification.steps}


def offline(
    body: bytes, holder: Holder, message_type: MessageType | None = None, at: datetime | None = None
) -> Verification:
    return verify(body, V3, holder, message_type=message_type, at=at).verification


def test_what_stands_behind_a_failed_check_is_not_reached(good: GoodMessage, receiver: Receiver) -> None:
    verification = receiver.take(good.send_header({"alg": "RS512"}))

    steps = verification.steps
    place = REQUEST_CHECKS.index(kid_is_given)
    assert [step.check for step in steps] == list(REQUEST_CHECKS)
    assert [step.outcome for step in steps[place:]] == [Outcome.FAILED] + [Outcome.NOT_REACHED] * (
        len(steps) - place - 1
    )
    assert not verification.passed


def test_a_message_that_passed_is_handed_on_with_all_that_was_drawn_from_it(
    good: GoodMessage, receiver: Receiver, lsp: Participant
) -> None:
    message = good.send()
    verified = receiver.judge(message)

    assert isinstance(verified, VerifiedMessage)
    assert verified.sender is lsp
    assert verified.message_type is MESSAGE
    assert isinstance(verified.content, TriggerLoanAcceptanceRequest)
    assert verified.content.loan_application_ids == ["APPL-2031-000417"]
    assert verified.payload == good.payload
    assert verified.document == good.document
    assert (verified.kid, verified.request_id) == (good.key.kid, "request-1")
    assert (verified.nonce.sender, verified.nonce.trace_id) == ("Lsp-417", "trace-1")
    assert verified.nonce.instant == NOW
    assert verified.received_at == NOW
    assert verified.wire == arrived(message)


def test_what_a_check_that_holds_has_found_is_worked_out_only_when_somebody_looks() -> None:
    written: list[str] = []

    @check(Problem.VALUE)
    def holds(message: str) -> Finding:
        """It holds (nowhere)."""
        return Finding(True, "anything", lambda: written.append(message) or message)

    assert first_failure([holds], "a message") is None
    assert written == []

    (step,) = Verification([Phase([holds], "a message")], frozenset(), None).steps
    assert (step.outcome, step.expected, step.found) == (Outcome.PASSED, "anything", "a message")


def test_a_message_that_does_not_fit_is_freed_without_a_garbage_collection(
    good_message: GoodMessage, receiver: Receiver
) -> None:
    message = good_message.send_document({**good_message.document, "loanApplicationIds": "none"})
    gc.disable()
    try:
        opened, known = receiver.opened(message), receiver.known(message)
        alive, verdict = weakref.ref(opened), verify_at_once(V3, opened, known)
        assert isinstance(verdict, Refused)
        assert verdict.failure is not None
        assert verdict.failure.check is content_fits_the_message
        del opened, known, verdict
        assert alive() is None
    finally:
        gc.enable()


def test_what_the_journal_knows_decides_the_last_two_checks() -> None:
    expected = {
        History.NEW: None,
        History.REPEATED: None,
        History.NONCE_USED: Problem.REPLAYED,
        History.CONFLICT: Problem.CONFLICT,
    }
    for history, problem in expected.items():
        failure = first_failure(V3.journal_checks, history)
        assert (failure.problem if failure else None) is problem


def test_before_the_journal_is_asked_its_checks_are_not_reached(good_message: GoodMessage, receiver: Receiver) -> None:
    message = good_message.send()
    opened, known = receiver.opened(message), receiver.known(message)
    assert isinstance(verify_at_once(V3, opened, known), VerifiedMessage)
    verification = verification_of(V3, opened, known, None)
    assert {name for name, outcome in outcomes(verification).items() if outcome is not Outcome.PASSED} == {
        "nonce_is_new",
        "request_id_is_new_or_repeats_its_content",
    }


def test_offline_what_a_file_cannot_tell_is_not_judged(good: GoodMessage, lsp: Participant) -> None:
    verification = offline(good.send().body, {good.key.kid: lsp}.get)

    not_judged = {step.check.name: step.found for step in verification.steps if step.outcome is Outcome.NOT_JUDGED}
    assert verification.passed
    assert not_judged == {
        "path_is_known": "there is no HTTP request",
        "method_is_allowed": "there is no HTTP request",
        "media_type_is_json": "there is no HTTP request",
        "body_is_within_size": "there is no HTTP request",
        "certificate_is_registered": "there is no TLS connection",
        "source_address_is_listed": "there is no TLS connection",
        "sender_is_the_key_holder": "there is no directory of participants",
        "sender_has_the_role": "there is no directory of participants",
        "timestamp_is_fresh": "there is no time to judge by",
        "request_id_is_usable": "there is no path that says which message this is",
        "content_fits_the_message": "there is no path that says which message this is",
        "nonce_is_new": "there is no journal of earlier messages",
        "request_id_is_new_or_repeats_its_content": "there is no journal of earlier messages",
    }


def test_offline_a_time_and_a_message_type_add_their_checks(good: GoodMessage, lsp: Participant) -> None:
    judged = outcomes(offline(good.send().body, {good.key.kid: lsp}.get, MESSAGE, NOW))
    names = ("timestamp_is_fresh", "request_id_is_usable", "content_fits_the_message")
    assert {judged[name] for name in names} == {Outcome.PASSED}

    later = offline(good.send().body, {good.key.kid: lsp}.get, MESSAGE, NOW + timedelta(days=1))
    assert later.problem is Problem.NOT_FRESH


def test_offline_a_key_that_is_not_given_is_nobodys(good: GoodMessage) -> None:
    directory: dict[str, Participant] = {}
    verification = offline(good.send().body, directory.get)
    assert verification.failure is not None
    assert verification.failure.check.name == "kid_selects_a_key_that_counts"
    assert verification.problem is Problem.SIGNATURE


def test_offline_a_file_that_is_no_envelope_is_refused_without_asking_for_a_key() -> None:
    def never(kid: str) -> Participant | None:
        raise AssertionError(f"asked for {kid}")

    verification = offline(b"not an envelope", never)
    assert verification.problem is Problem.MALFORMED


def test_a_step_tells_in_words_what_was_expected_and_found(good: GoodMessage, receiver: Receiver) -> None:
    stale = good.send_document(good.with_metadata(timestamp="2031-03-04T05:00:00Z"))
    failure = receiver.take(stale).failure

    assert failure is not None
    assert receiver.take(stale).steps[REQUEST_CHECKS.index(failure.check)].as_dict() == {
        "check": "timestamp_is_fresh",
        "outcome": "failed",
        "text": "The timestamp is neither too old nor too far ahead by our clock",
        "clause": "OCEN v3 Security, nonce; RFC 7515 s10.10",
        "expected": "at most 300 s behind and 60 s ahead of our 2031-03-04T05:06:07.890Z",
        "found": "2031-03-04T05:00:00.000Z, -368 s by our clock",
    }


def test_a_report_never_carries_more_of_a_message_than_a_line(good_message: GoodMessage, receiver: Receiver) -> None:
    for row in TAMPERINGS:
        for step in receiver.take(row.tamper(good_message)).steps:
            assert len(step.expected) + len(step.found) < 700


def test_of_a_strangers_many_members_only_those_are_read_that_are_named() -> None:
    class Members(dict[str, None]):
        read = 0

        def __iter__(self) -> Iterator[str]:
            for name in super().__iter__():
                self.read += 1
                yield name

    members = Members.fromkeys(f"{number:032}and so on" for number in range(40_000))
    named = names_of(members)
    assert named == ", ".join(f"{number:032}" for number in range(MOST_NAMED)) + " and 39992 more"
    assert members.read == MOST_NAMED


def test_a_check_without_a_clause_cannot_be_written() -> None:
    def bare(message: object) -> Finding:
        """A demand that nobody has made."""
        return Finding(True, "", "")

    with pytest.raises(TypeError, match="the docstring of bare does not end with a clause"):
        check(Problem.VALUE)(bare)


def test_a_check_is_named_after_its_function() -> None:
    assert nonce_is_new.name == "nonce_is_new"
    assert nonce_is_new.text == "The sender has not used this timestamp with this traceId before"
    assert nonce_is_new.clause == "OCEN v3 Security, nonce; RFC 7515 s10.10"
