"""How an examination proceeds: what is not reached, what is not judged, and that nothing passes by default."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from shared.catalogue.bodies.v3.loan_acceptance import TriggerLoanAcceptanceRequest
from shared.catalogue.table import get_message
from shared.protocol.checks import REQUEST_CHECKS
from shared.protocol.checks.envelope import MOST_NAMED, kid_is_given, names_of
from shared.protocol.checks.journal import nonce_is_new
from shared.protocol.checks.signature import signature_verifies
from shared.protocol.nonces import DEFAULT_WINDOW
from shared.protocol.participants import Participant
from shared.protocol.problems import Problem
from shared.protocol.profiles import V3
from shared.protocol.tampering import TAMPERINGS, GoodMessage
from shared.protocol.verification import Examination, Finding, History, Outcome, Step, Verification, check
from tests.protocol.receiver import NOW, Receiver, arrived

MESSAGE = get_message("v3", "TriggerLoanAcceptanceRequest")


def outcomes(verification: Verification) -> dict[str, Outcome]:
    return {step.check.name: step.outcome for step in verification.steps}


def test_what_stands_behind_a_failed_check_is_not_reached(good: GoodMessage, receiver: Receiver) -> None:
    verification = receiver.take(good.send_header({"alg": "RS512"}))

    steps = verification.steps
    place = REQUEST_CHECKS.index(kid_is_given)
    assert [step.check for step in steps] == list(REQUEST_CHECKS)
    assert [step.outcome for step in steps[place:]] == [Outcome.FAILED] + [Outcome.NOT_REACHED] * (
        len(steps) - place - 1
    )
    assert not verification.passed


def test_a_failed_examination_goes_no_further_whoever_calls(good: GoodMessage, lsp: Participant) -> None:
    examination = V3.open(arrived(good.send(b"{}")), MESSAGE, ("POST",), NOW, DEFAULT_WINDOW)
    steps, problem = list(examination.steps), examination.problem

    V3.judge(examination, lsp)
    V3.judge_history(examination, History.NEW)

    assert examination.steps == steps
    assert examination.problem is problem is Problem.MALFORMED


def test_a_message_that_passed_is_handed_on_with_all_that_was_drawn_from_it(
    good: GoodMessage, receiver: Receiver, lsp: Participant
) -> None:
    message = good.send()
    verified = V3.accept(receiver.judge(message))

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
    assert [step.check for step in verified.verification.steps] == list(REQUEST_CHECKS)


INCOMPLETE: dict[str, Callable[[list[Step]], list[Step]]] = {
    "nothing was judged": lambda steps: [],
    "the last check is missing": lambda steps: steps[:-1],
    "the signature check is missing": lambda steps: [one for one in steps if one.check is not signature_verifies],
    "a check was not judged": lambda steps: [steps[0]._replace(outcome=Outcome.NOT_JUDGED), *steps[1:]],
    "a check was not reached": lambda steps: [*steps[:-1], steps[-1]._replace(outcome=Outcome.NOT_REACHED)],
    "a check failed": lambda steps: [*steps[:-1], steps[-1]._replace(outcome=Outcome.FAILED)],
    "a check was judged twice": lambda steps: [steps[0], *steps],
    "the checks changed places": lambda steps: steps[::-1],
}


@pytest.mark.parametrize("damage", INCOMPLETE.values(), ids=INCOMPLETE)
def test_an_examination_in_which_not_every_check_passed_is_not_accepted(
    damage: Callable[[list[Step]], list[Step]], good_message: GoodMessage, receiver: Receiver
) -> None:
    examination = receiver.judge(good_message.send())
    examination.steps = damage(examination.steps)
    with pytest.raises(ValueError, match="every check held"):
        V3.accept(examination)


def test_an_examination_that_was_only_opened_is_not_accepted(good_message: GoodMessage) -> None:
    examination = V3.open(arrived(good_message.send()), MESSAGE, ("POST",), NOW, DEFAULT_WINDOW)
    assert examination.problem is None
    with pytest.raises(ValueError, match="every check held"):
        V3.accept(examination)


def test_what_the_journal_knows_decides_the_last_two_checks(good_message: GoodMessage, receiver: Receiver) -> None:
    expected = {
        History.NEW: None,
        History.REPEATED: None,
        History.NONCE_USED: Problem.REPLAYED,
        History.CONFLICT: Problem.CONFLICT,
    }
    for history, problem in expected.items():
        examination = receiver.judge(good_message.send())
        V3.judge_history(examination, history)
        verification = V3.verdict(examination)
        assert verification.problem is problem
        assert verification.passed is (problem is None)


def test_before_the_journal_is_asked_its_checks_are_not_reached(good_message: GoodMessage, receiver: Receiver) -> None:
    verification = V3.verdict(receiver.judge(good_message.send()))
    assert {name for name, outcome in outcomes(verification).items() if outcome is not Outcome.PASSED} == {
        "nonce_is_new",
        "request_id_is_new_or_repeats_its_content",
    }


def test_offline_what_a_file_cannot_tell_is_not_judged(good: GoodMessage, lsp: Participant) -> None:
    verification = V3.examine_offline(good.send().body, {good.key.kid: lsp}.get)

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
    judged = outcomes(V3.examine_offline(good.send().body, {good.key.kid: lsp}.get, MESSAGE, NOW))
    names = ("timestamp_is_fresh", "request_id_is_usable", "content_fits_the_message")
    assert {judged[name] for name in names} == {Outcome.PASSED}

    later = V3.examine_offline(good.send().body, {good.key.kid: lsp}.get, MESSAGE, NOW + timedelta(days=1))
    assert later.problem is Problem.NOT_FRESH


def test_offline_a_key_that_is_not_given_is_nobodys(good: GoodMessage) -> None:
    directory: dict[str, Participant] = {}
    verification = V3.examine_offline(good.send().body, directory.get)
    assert verification.failure is not None
    assert verification.failure.check.name == "kid_selects_a_key_that_counts"
    assert verification.problem is Problem.SIGNATURE


def test_offline_a_file_that_is_no_envelope_is_refused_without_asking_for_a_key() -> None:
    def never(kid: str) -> Participant | None:
        raise AssertionError(f"asked for {kid}")

    verification = V3.examine_offline(b"not an envelope", never)
    assert verification.problem is Problem.MALFORMED


def test_a_step_tells_in_words_what_was_expected_and_found(good: GoodMessage, receiver: Receiver) -> None:
    stale = good.send_document(good.with_metadata(timestamp="2031-03-04T05:00:00Z"))
    failure = receiver.take(stale).failure

    assert failure is not None
    assert failure.as_dict() == {
        "check": "timestamp_is_fresh",
        "outcome": "failed",
        "text": "The timestamp is neither older nor further ahead than allowed by our clock",
        "clause": "seed 002, nonce; RFC 7515 s10.10",
        "expected": "at most 300 s behind and 60 s ahead of our 2031-03-04T05:06:07.890Z",
        "found": "2031-03-04T05:00:00.000Z, -368 s by our clock",
    }


def test_a_report_never_carries_more_of_a_message_than_a_line(good_message: GoodMessage, receiver: Receiver) -> None:
    for row in TAMPERINGS:
        for step in receiver.take(row.spoil(good_message)).steps:
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
    def bare(examination: Examination) -> Finding:
        """A demand that nobody has made."""
        return Finding(True, "", "")

    with pytest.raises(TypeError, match="the docstring of bare does not end with a clause"):
        check(Problem.VALUE)(bare)


def test_a_check_is_named_after_its_function() -> None:
    assert nonce_is_new.name == "nonce_is_new"
    assert nonce_is_new.text == "The sender has not used this timestamp with this traceId before"
    assert nonce_is_new.clause == "seed 002, nonce; RFC 7515 s10.10"
