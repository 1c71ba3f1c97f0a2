"""Every row of OCEN 4.0's tampering table, through the whole profile."""

import pytest

from shared.protocol.checks import V4_HEAD_CHECKS, V4_REQUEST_CHECKS
from shared.protocol.participants import Dialect
from shared.protocol.problems import Problem
from shared.protocol.profiles import V4
from shared.protocol.tampering import V4_TAMPERINGS, GoodCall, Tampering
from shared.protocol.verification import Need, Outcome
from tests.protocol.v4.call_receiver import CallReceiver

each_row = pytest.mark.parametrize("row", V4_TAMPERINGS, ids=[row.name for row in V4_TAMPERINGS])
HEAD_ROWS = [row for row in V4_TAMPERINGS if row.caught_by in V4_HEAD_CHECKS]
BEFORE_THE_JOURNAL = [row for row in V4_TAMPERINGS if Need.JOURNAL not in row.caught_by.needs]


def test_the_unspoiled_call_passes_every_check(call: GoodCall, lender_node: CallReceiver) -> None:
    verification = lender_node.take(call.send())

    assert verification.passed
    assert [step.check for step in verification.steps] == list(V4_REQUEST_CHECKS)
    assert {step.outcome for step in verification.steps} == {Outcome.PASSED}


@each_row
def test_a_spoiled_call_fails_exactly_at_its_check_and_with_its_code(
    row: Tampering[GoodCall], call: GoodCall, lender_node: CallReceiver
) -> None:
    *before, spoiled = row.messages(call)
    assert all(lender_node.take(message).passed for message in before)

    verification = lender_node.take(spoiled)

    assert verification.failure is not None
    assert verification.failure.check.name == row.caught_by.name
    assert verification.problem is row.problem
    place = V4_REQUEST_CHECKS.index(row.caught_by)
    outcomes = [step.outcome for step in verification.steps]
    assert outcomes[:place] == [Outcome.PASSED] * place
    assert set(outcomes[place + 1 :]) <= {Outcome.NOT_REACHED}


@each_row
def test_a_spoiled_call_leaves_no_trace_in_the_journal(
    row: Tampering[GoodCall], good_call: GoodCall, lender_node: CallReceiver
) -> None:
    *before, spoiled = row.messages(good_call)
    for message in before:
        lender_node.take(message)
    nonces, requests = set(lender_node.nonces), dict(lender_node.requests)

    lender_node.take(spoiled)

    assert lender_node.nonces == nonces
    assert lender_node.requests == requests
    if not row.after_the_good_one:
        assert lender_node.take(good_call.send()).passed


@pytest.mark.parametrize("dialect", [Dialect.RFC, Dialect.AUTHSTARTER])
@each_row
def test_no_other_dialect_lets_a_spoiled_call_pass_unless_that_is_what_it_is_for(
    row: Tampering[GoodCall], dialect: Dialect, good_call: GoodCall, lender_node: CallReceiver
) -> None:
    lender_node.set_dialect(dialect)
    *before, spoiled = row.messages(good_call)
    for message in before:
        assert lender_node.take(message).passed

    tolerated = dialect is Dialect.AUTHSTARTER and row.name == "unencoded_without_crit"
    assert lender_node.take(spoiled).passed is tolerated


@pytest.mark.parametrize("row", BEFORE_THE_JOURNAL, ids=[row.name for row in BEFORE_THE_JOURNAL])
def test_a_call_that_failed_a_check_never_becomes_a_verified_one(
    row: Tampering[GoodCall], good_call: GoodCall, lender_node: CallReceiver
) -> None:
    examination = lender_node.judge(row.spoil(good_call))
    with pytest.raises(ValueError, match="every check held"):
        V4.accept(examination)


@pytest.mark.parametrize("row", HEAD_ROWS, ids=[row.name for row in HEAD_ROWS])
def test_a_malformed_head_is_refused_before_any_of_the_body_is_read(
    row: Tampering[GoodCall], good_call: GoodCall, lender_node: CallReceiver
) -> None:
    assert lender_node.head(row.spoil(good_call)).problem is row.problem


def test_every_check_of_a_call_can_fail() -> None:
    assert {row.caught_by for row in V4_TAMPERINGS} == set(V4_REQUEST_CHECKS)


def test_rows_stand_in_the_order_of_the_checks_of_a_call() -> None:
    places = [V4_REQUEST_CHECKS.index(row.caught_by) for row in V4_TAMPERINGS]
    assert places == sorted(places)


def test_every_row_of_a_call_has_a_name_of_its_own_and_a_sentence() -> None:
    names = [row.name for row in V4_TAMPERINGS]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() for name in names)
    assert all(row.text[0].isupper() and row.text.endswith(".") and "{" not in row.text for row in V4_TAMPERINGS)


def test_spoiling_does_not_touch_the_good_call(good_call: GoodCall) -> None:
    before = good_call.send()
    for row in V4_TAMPERINGS:
        row.messages(good_call)

    assert good_call.send() == before


def test_a_report_of_a_call_never_carries_more_of_it_than_a_line(
    good_call: GoodCall, lender_node: CallReceiver
) -> None:
    for row in V4_TAMPERINGS:
        for step in lender_node.take(row.spoil(good_call)).steps:
            assert len(step.expected) + len(step.found) < 700
            assert step.found.isprintable(), (row.name, step.found)


def test_neither_a_report_nor_a_representation_shows_the_token(good_call: GoodCall, lender_node: CallReceiver) -> None:
    token, signature = good_call.token(), good_call.token().rpartition(".")[2]
    for row in BEFORE_THE_JOURNAL:
        examination = lender_node.judge(row.spoil(good_call))
        assert token not in repr(examination) or row.name == "token_in_the_body"
        assert not any(signature[:40] in step.found for step in examination.steps)
    verified = V4.accept(lender_node.judge(good_call.send()))
    assert token not in repr(verified)
    assert token not in str(verified.wire)


def test_a_secret_without_a_scheme_is_not_quoted(good_call: GoodCall, lender_node: CallReceiver) -> None:
    found = lender_node.take(good_call.with_header("authorization", "s3cr3t")).steps[3].found
    assert found == "something without a scheme in Authorization"


def test_what_a_token_is_refused_for_has_the_code_of_tokens_and_who_it_is_for_that_of_senders() -> None:
    problems = {row.problem for row in V4_TAMPERINGS if row.caught_by.name.startswith("token_")}
    assert problems == {Problem.TOKEN, Problem.SENDER}
