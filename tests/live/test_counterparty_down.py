"""One side is down for a while: the other tries again until the exchange completes, or gives up and is driven again."""

from typing import Any

from shared.catalogue.table import example_of, find_message
from shared.node.ids import new_id
from shared.node.tables import INBOX
from shared.protocol.problems import SUCCESS
from tests.live.forger import calling_as
from tests.live.letters import TRIGGER, TRIGGERED, envelope, path_of, written
from tests.live.pair import LENDER, LSP, Pair, PairFactory
from tests.live.waiting import eventually

PATIENT: dict[str, Any] = {"retry_base_seconds": 0.05, "retry_attempts": 50}


def await_completion(pair: Pair, request_id: str) -> None:
    """Wait until request and callback are acknowledged; both were accepted once."""
    eventually(lambda: pair.lsp.delivered(request_id, TRIGGER))
    eventually(lambda: pair.lender.delivered(request_id, TRIGGERED))
    assert [row["request_id"] for row in pair.lender.books.rows(INBOX)] == [request_id]
    assert [row["request_id"] for row in pair.lsp.books.rows(INBOX)] == [request_id]


def test_a_request_to_a_lender_that_is_down_is_delivered_when_it_is_up(make_pair: PairFactory) -> None:
    pair = make_pair(**PATIENT)
    pair.lsp.start()

    request_id = pair.lsp.ops.send(TRIGGER, LENDER, example_of(find_message(TRIGGER)))["request_id"]

    tried = eventually(lambda: pair.lsp.tried(request_id, TRIGGER, 3))
    assert tried["state"] == "WAITING"
    assert "no answer: ConnectError" in tried["result"]
    pair.lender.start()
    await_completion(pair, request_id)


def test_a_callback_to_an_lsp_that_is_down_is_delivered_when_it_is_up(make_pair: PairFactory) -> None:
    pair = make_pair(**PATIENT)
    content = {"requestId": new_id(), **example_of(find_message(TRIGGER))}
    pair.lsp.start()
    pair.lsp.ops.send(TRIGGER, LENDER, content)
    pair.lsp.stop()
    pair.lender.start()
    # As if the LSP's last try had got through just before it went down.
    with calling_as(LSP, pair, pair.lender) as forger:
        body = envelope(written(content, LSP), pair.lsp.identity.signing_key)
        assert forger.post(path_of(TRIGGER), body).error == SUCCESS

    tried = eventually(lambda: pair.lender.tried(content["requestId"], TRIGGERED, 3))

    assert tried["state"] == "WAITING"
    pair.lsp.start()
    await_completion(pair, content["requestId"])


def test_a_delivery_that_was_given_up_is_shown_as_dead_and_can_be_driven_again(make_pair: PairFactory) -> None:
    pair = make_pair(retry_base_seconds=0.05, retry_attempts=3)
    pair.lsp.start()

    request_id = pair.lsp.ops.send(TRIGGER, LENDER, example_of(find_message(TRIGGER)))["request_id"]

    (dead,) = eventually(lambda: pair.lsp.ops.messages(5, state="DEAD"))
    assert (dead["request_id"], dead["tries"]) == (request_id, 3)
    pair.lender.start()
    assert pair.lsp.ops.redrive(dead["id"]) == {"id": dead["id"], "request_id": request_id}
    await_completion(pair, request_id)
    assert pair.lsp.ops.messages(5, state="DEAD") == []
