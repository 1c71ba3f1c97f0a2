"""The rotation drill's bookkeeping: what is counted for which key, and when a drill holds."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.drill.course import Course
from sandbox.drill.report import DrillEvent, DrillRefusal, DrillReport, Key, Signature
from sandbox.drill.traffic import Request
from sandbox.settings import NodeName

BEGIN = datetime(2031, 5, 14, 9, 30, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def report(**changes: Any) -> DrillReport:
    """A drill that holds, unless a change says otherwise."""
    whole = {
        "keys": [Key("kid-1", "LSP123", "key 1"), Key("kid-2", "LSP123", "key 2")],
        "events": [DrillEvent(BEGIN, "requests go out"), DrillEvent(after(5), "key 1 is blocked")],
        "signatures": [Signature("kid-1", after(1)), Signature("kid-2", after(5)), Signature("kid-2", after(6))],
        "provoked": [Signature("kid-1", after(5.1), "401 AUTH1001")],
        "refusals": [DrillRefusal("signed with key 1", "401 AUTH1001", 0.1, is_right=True)],
        "sent": 2,
        "completed": 2,
        "has_ended": True,
    }
    return DrillReport(**(whole | changes))  # type: ignore[arg-type]


def test_what_was_signed_counts_for_the_event_before_it() -> None:
    first, second = report().stretches()
    assert (first.seconds, first.event, first.accepted, first.refused) == (
        0.0,
        "requests go out",
        Counter({"kid-1": 1}),
        Counter(),
    )
    assert (second.seconds, second.accepted, second.refused) == (5.0, Counter({"kid-2": 2}), Counter({"kid-1": 1}))


def test_a_drill_holds_if_all_is_complete_and_only_what_has_to_be_was_refused() -> None:
    assert report().holds
    assert report().as_dict()["refused"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"has_ended": False},
        {"sent": 0, "completed": 0},
        {"sent": 3},
        {"completed": 1, "lost": ["request-2"]},
        {"signatures": [Signature("kid-2", after(6), "refused with AUTH1001")]},
        {"refusals": [DrillRefusal("signed with key 1", "200 0", 0.1, is_right=False)]},
    ],
    ids=["not ended", "nothing sent", "under way", "lost", "refused", "accepted what has to be refused"],
)
def test_otherwise_it_does_not(changes: dict[str, Any]) -> None:
    assert not report(**changes).holds


class Ops:
    """The operator plane of a node that knows one message."""

    def __init__(self, state: str, *attempts: dict[str, Any]) -> None:
        self.sent = [{"state": state, "attempts": attempts}]

    def message(self, _: str) -> dict[str, Any]:
        return {"sent": self.sent}


class Clock:
    def now(self) -> datetime:
        return BEGIN

    def elapsed(self) -> float:
        return 0.0


def attempt(kid: str, ack_kid: str, outcome: str = "ACCEPTED", failed: str = "") -> dict[str, Any]:
    steps = [{"check": failed or "signature_verifies", "outcome": "failed" if failed else "passed"}]
    return {
        "kid": kid,
        "started_at": "2031-05-14T09:30:01.000Z",
        "milliseconds": 20.0,
        "outcome": outcome,
        "reason": "refused with AUTH1001" if outcome == "REFUSED" else "",
        "answer": {"decoded": {"header": {"kid": ack_kid}}},
        "verification": steps,
    }


UNANSWERED = {**attempt("kid-1", "", "FAILED"), "answer": None, "verification": []}


class Traffic:
    """One request, and no more."""

    requests = (Request("request-1", BEGIN),)


def course(lsp: Ops, lender: Ops) -> Course:
    """A drill that has looked at its only request."""
    nodes = {NodeName.LSP: lsp, NodeName.LENDER: lender}
    course = Course(nodes, Traffic(), lambda _: None, Clock(), lambda _: None)  # type: ignore[arg-type]
    course.look(1.0)
    return course


def observed(lsp: Ops, lender: Ops) -> DrillReport:
    return course(lsp, lender).report


def test_an_exchange_has_four_signatures_two_of_each_side() -> None:
    seen = observed(Ops("DELIVERED", attempt("kid-1", "kid-a")), Ops("DELIVERED", attempt("kid-a", "kid-1")))
    assert (seen.completed, seen.lost, seen.repeated) == (1, [], 0)
    assert sorted(seen.signatures) == sorted(
        [
            Signature("kid-1", after(1)),
            Signature("kid-a", after(1.02)),
            Signature("kid-a", after(1)),
            Signature("kid-1", after(1.02)),
        ]
    )


def test_a_try_without_an_answer_is_counted_as_made_again() -> None:
    seen = observed(
        Ops("DELIVERED", UNANSWERED, attempt("kid-1", "kid-a")), Ops("DELIVERED", attempt("kid-a", "kid-1"))
    )
    assert (seen.completed, seen.repeated, len(seen.signatures)) == (1, 1, 4)


def test_a_refused_request_is_lost_and_its_key_was_refused() -> None:
    seen = observed(Ops("REFUSED", attempt("kid-1", "kid-a", "REFUSED")), Ops("DELIVERED"))
    assert (seen.completed, seen.lost) == (0, ["request-1"])
    assert Signature("kid-1", after(1), "refused with AUTH1001") in seen.signatures


def test_an_ack_that_does_not_verify_was_refused() -> None:
    bad = attempt("kid-1", "kid-a", "FAILED", failed="signature_verifies")
    seen = observed(Ops("DELIVERED", bad, attempt("kid-1", "kid-a")), Ops("DELIVERED", attempt("kid-a", "kid-1")))
    assert Signature("kid-a", after(1.02), "ack refused: signature_verifies") in seen.signatures


def test_what_has_not_ended_is_under_way_until_the_drill_ends_without_it() -> None:
    drill = course(Ops("SENDING"), Ops("DELIVERED"))
    assert (drill.report.sent, drill.report.completed, drill.report.lost) == (1, 0, [])
    drill.look(1.0)
    assert drill.end().lost == ["request-1"]
    assert not drill.report.holds
