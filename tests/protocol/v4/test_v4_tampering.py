"""Every row of OCEN 4.0's tampering table, through the whole profile."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.protocol.checks import V4_HEAD_CHECKS, V4_REQUEST_CHECKS
from shared.protocol.participants import Dialect
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem
from shared.protocol.tampering import V4_TAMPERINGS, GoodCall, Tampering
from shared.protocol.verification import Need, Outcome
from tests.protocol.spoiled import assert_caught_and_nothing_changed
from tests.protocol.v4.call_receiver import CallReceiver

each_row = pytest.mark.parametrize("row", V4_TAMPERINGS, ids=[row.name for row in V4_TAMPERINGS])
BEFORE_THE_JOURNAL = [row for row in V4_TAMPERINGS if Need.JOURNAL not in row.caught_by.needs]


def test_the_unspoiled_call_passes_every_check(call: GoodCall, lender_node: CallReceiver) -> None:
    verification = lender_node.take(call.send())

    assert verification.passed
    assert [step.check for step in verification.steps] == list(V4_REQUEST_CHECKS)
    assert {step.outcome for step in verification.steps} == {Outcome.PASSED}


@each_row
def test_a_spoiled_call_is_caught_by_its_check_alone_and_changes_nothing(
    row: Tampering[GoodCall], good_call: GoodCall, new_lender_node: Callable[[], CallReceiver]
) -> None:
    for is_unencoded in (True, False):
        assert_caught_and_nothing_changed(row, replace(good_call, is_unencoded=is_unencoded), new_lender_node())
    if row.caught_by in V4_HEAD_CHECKS:  # before any of the body is read (OCEN 4.0 signing)
        assert new_lender_node().head(row.tamper(good_call)) is row.problem
    is_tolerated = row.name == "unencoded_without_crit"  # that is what the dialect of official starters is for
    assert _passes(row, good_call, new_lender_node(), Dialect.AUTHSTARTER) is is_tolerated


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
        for step in lender_node.take(row.tamper(good_call)).steps:
            assert len(step.expected) + len(step.found) < 700
            assert step.found.isprintable(), (row.name, step.found)


def test_neither_a_report_nor_a_representation_shows_the_token(good_call: GoodCall, lender_node: CallReceiver) -> None:
    token, signature = good_call.token(), good_call.token().rpartition(".")[2]
    for row in BEFORE_THE_JOURNAL:
        spoiled = row.tamper(good_call)
        judged = repr(lender_node.opened(spoiled)), repr(lender_node.judge(spoiled))
        assert not any(token in shown for shown in judged) or row.name == "token_in_the_body"
        assert not any(signature[:40] in step.found for step in lender_node.take(spoiled).steps)
    verified = lender_node.judge(good_call.send())
    assert isinstance(verified, VerifiedMessage)
    assert token not in repr(verified)
    assert token not in str(verified.wire)


def test_a_secret_without_a_scheme_is_not_quoted(good_call: GoodCall, lender_node: CallReceiver) -> None:
    found = lender_node.take(good_call.with_header("authorization", "s3cr3t")).steps[3].found
    assert found == "something without a scheme in Authorization"


def test_what_a_token_is_refused_for_has_the_code_of_tokens_and_who_it_is_for_that_of_senders() -> None:
    problems = {row.problem for row in V4_TAMPERINGS if row.caught_by.name.startswith("token_")}
    assert problems == {Problem.TOKEN, Problem.SENDER}


def problems_of(*requirements: str) -> set[Problem]:
    return {row.problem for row in V4_TAMPERINGS if set(requirements) & set(row.requirements)}


def test_a_token_that_does_not_count_is_refused_as_one_and_with_401() -> None:
    assert problems_of("OCEN-TOK-01", "OCEN-TOK-02", "OCEN-TOK-03", "OCEN-TOK-04") == {Problem.TOKEN}
    assert Problem.TOKEN.status == 401


def test_a_good_token_in_the_wrong_hands_is_refused_with_403() -> None:
    assert problems_of("OCEN-TOK-05") == {Problem.SENDER}
    assert Problem.SENDER.status == 403


def test_a_signature_that_does_not_count_is_refused_with_401() -> None:
    assert problems_of("OCEN-DET-01", "OCEN-DET-02", "OCEN-DET-05") == {Problem.SIGNATURE}
    assert Problem.SIGNATURE.status == 401


def _passes(row: Tampering[GoodCall], call: GoodCall, lender_node: CallReceiver, dialect: Dialect) -> bool:
    lender_node.set_dialect(dialect)
    *before, spoiled = row.messages(call)
    assert all(lender_node.take(message).passed for message in before)
    return lender_node.take(spoiled).passed
