"""Each message counts once, while it is fresh, at its own path: what a running lender answers to all else."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table

from shared.node.ids import new_id
from shared.node.tables import INBOX, OUTBOX
from shared.protocol.phases import MAX_BODY_BYTES
from shared.protocol.problems import SUCCESS
from tests.live.forger import JSON, Answer, Forger
from tests.live.letters import TRIGGER, TRIGGERED, VERIFY, envelope, letter, path_of, rewritten
from tests.live.pair import LSP, Pair

Post = Callable[..., Answer]


@pytest.fixture
def post(pair: Pair, lsp_forger: Forger) -> Post:
    """Sign a payload as the LSP and send it to the lender, to the path of a message."""

    def post(document: dict[str, Any], message: str = TRIGGER) -> Answer:
        return lsp_forger.post(path_of(message), envelope(document, pair.lsp.identity.signing_key))

    return post


def under(request_id: str, pair: Pair) -> tuple[list[str], list[str]]:
    """The messages that the lender has accepted, and those that it sends, under a requestId."""

    def messages(table: Table) -> list[str]:
        return [row["message"] for row in pair.lender.books.rows(table) if row["request_id"] == request_id]

    return messages(INBOX), messages(OUTBOX)


def test_the_same_bytes_count_once(pair: Pair, lsp_forger: Forger) -> None:
    document = letter(TRIGGER, LSP)
    body = envelope(document, pair.lsp.identity.signing_key)
    assert lsp_forger.post(path_of(TRIGGER), body).error == SUCCESS

    answer = lsp_forger.post(path_of(TRIGGER), body)

    assert (answer.status, answer.error) == (409, "AUTH1002")
    assert answer.ack["traceId"] == document["metadata"]["traceId"]
    assert under(document["requestId"], pair) == ([TRIGGER], [TRIGGERED])


@pytest.mark.parametrize("age", [timedelta(seconds=310), timedelta(seconds=-90)], ids=["stale", "from the future"])
def test_a_message_out_of_time_is_refused_and_both_clocks_are_named(pair: Pair, post: Post, age: timedelta) -> None:
    document = letter(TRIGGER, LSP, age=age)

    answer = post(document)

    assert (answer.status, answer.error) == (401, "AUTH1003")
    assert answer.ack["detail"]["check"] == "timestamp_is_fresh"
    clocks = set(re.findall(r"[0-9-]{10}T[0-9:.]{12}Z", str(answer.ack["detail"])))
    assert len(clocks) == 2
    assert document["metadata"]["timestamp"] in clocks
    assert under(document["requestId"], pair) == ([], [])


def test_a_repeated_message_is_acknowledged_again_and_answered_once(pair: Pair, post: Post) -> None:
    document = letter(TRIGGER, LSP)
    again = rewritten(document)

    answers = [post(document), post(again)]

    assert [(answer.status, answer.error) for answer in answers] == [(200, SUCCESS)] * 2
    assert [answer.ack["traceId"] for answer in answers] == [sent["metadata"]["traceId"] for sent in (document, again)]
    assert under(document["requestId"], pair) == ([TRIGGER], [TRIGGERED])


def test_a_request_id_with_other_content_is_a_conflict(pair: Pair, post: Post) -> None:
    document = letter(TRIGGER, LSP)
    post(document)

    answer = post(rewritten(document, loanApplicationIds=["APPL-2031-000418"]))

    assert (answer.status, answer.error) == (409, "GEN5009")
    assert under(document["requestId"], pair) == ([TRIGGER], [TRIGGERED])


def test_a_request_id_at_another_path_is_a_conflict(pair: Pair, post: Post) -> None:
    document = letter(TRIGGER, LSP)
    post(document)

    answer = post(letter(VERIFY, LSP, requestId=document["requestId"]), VERIFY)

    assert (answer.status, answer.error) == (409, "GEN5009")
    assert under(document["requestId"], pair) == ([TRIGGER], [TRIGGERED])


REQUESTS = {
    "an unknown path": ("POST", "/v3/loan/unknown", JSON, b"{}", (404, "GEN5012")),
    "another method": ("GET", path_of(TRIGGER), JSON, b"", (405, "GEN5003")),
    "another media type": ("POST", path_of(TRIGGER), {"content-type": "text/plain"}, b"{}", (415, "GEN5013")),
    "too large a body": ("POST", path_of(TRIGGER), JSON, b" " * (MAX_BODY_BYTES + 1), (413, "GEN5014")),
}


@pytest.mark.parametrize(("method", "path", "headers", "body", "refusal"), REQUESTS.values(), ids=REQUESTS)
def test_also_what_is_wrong_in_its_http_is_answered_by_a_signed_ack(
    lsp_forger: Forger, method: str, path: str, headers: dict[str, str], body: bytes, refusal: tuple[int, str]
) -> None:
    answer = lsp_forger.call(method, path, body, headers)

    assert (answer.status, answer.error) == refusal
    assert answer.headers.get("allow") == ("POST" if answer.status == 405 else None)


def test_a_callback_that_nobody_asked_for_is_refused_by_the_lsp(pair: Pair, lender_forger: Forger) -> None:
    before = pair.lsp.books.entries()
    document = letter(TRIGGERED, pair.lender.identity.organisation_id, requestId=new_id())

    answer = lender_forger.post(path_of(TRIGGERED), envelope(document, pair.lender.identity.signing_key))

    assert (answer.status, answer.error) == (422, "GEN5011")
    assert pair.lsp.books.entries() <= before
