"""The table of problems: stable codes, and the meanings that OCEN has published."""

import pytest

from shared.protocol.checks import ACK_CHECKS, REQUEST_CHECKS
from shared.protocol.problems import SUCCESS, Problem


def test_every_problem_has_a_code_and_a_meaning_of_its_own() -> None:
    assert len({problem.code for problem in Problem}) == len(Problem)
    assert len({problem.meaning for problem in Problem}) == len(Problem)
    assert SUCCESS not in {problem.code for problem in Problem}


@pytest.mark.parametrize(
    ("code", "problem", "word"),
    [
        ("GEN5001", Problem.MANDATORY_MISSING, "mandatory"),
        ("GEN5002", Problem.NOT_IN_ENUM, "enumeration"),
        ("GEN5003", Problem.METHOD_NOT_ALLOWED, "method"),
        ("GEN5004", Problem.UNAVAILABLE, "not available"),
        ("GEN5005", Problem.VERSION, "version"),
        ("GEN5006", Problem.TIMED_OUT, "in time"),
        ("GEN5007", Problem.LENGTH, "longer or shorter"),
        ("AUTH1001", Problem.SIGNATURE, "signature"),
    ],
)
def test_a_published_code_keeps_its_published_meaning(code: str, problem: Problem, word: str) -> None:
    assert problem.code == code
    assert problem.published
    assert word in problem.meaning


def test_no_other_code_claims_to_be_published() -> None:
    assert sum(problem.published for problem in Problem) == 8


def test_our_codes_continue_the_published_series_without_a_gap() -> None:
    for series, first in (("GEN", 5001), ("AUTH", 1001)):
        numbers = [int(problem.code[len(series) :]) for problem in Problem if problem.code.startswith(series)]
        assert sorted(numbers) == list(range(first, first + len(numbers)))


def test_every_problem_has_the_status_of_an_error() -> None:
    assert {problem.status for problem in Problem} <= {400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 503}


def test_what_a_stranger_may_probe_is_answered_alike() -> None:
    checks = {check.name: check.problem for check in REQUEST_CHECKS}
    assert checks["kid_selects_a_key_that_counts"] is checks["signature_verifies"] is Problem.SIGNATURE


def test_every_check_says_what_it_demands_and_where_that_is_written() -> None:
    for check in {*REQUEST_CHECKS, *ACK_CHECKS}:
        assert check.text
        assert check.clause
        assert "(" not in check.text
        assert any(source in check.clause for source in ("RFC", "seed", "OCEN"))
