"""v3 and OCEN 4.0 between the same two processes: what was captured of the one is good for nothing in the other."""

import json
from collections.abc import Iterator

import pytest

from shared.catalogue.table import example_of, find_message
from shared.node.ids import new_id
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.problems import SUCCESS
from tests.equipment.appendix_f import seal_in_base64
from tests.live import letters
from tests.live.forger import JSON, CallForger, Forger, calling_as
from tests.live.network import TRIGGER, TRIGGERED, Network
from tests.live.pair import LENDER, LSP
from tests.live.v4_letters import call, key_of, token_of, written
from tests.live.waiting import eventually

V3, V4 = letters.path_of(letters.TRIGGER), find_message(TRIGGER).path


@pytest.fixture(scope="module")
def v3(network: Network) -> Iterator[Forger]:
    with calling_as(LSP, network, network.lender) as forger:
        yield forger


@pytest.fixture(scope="module")
def v4(network: Network) -> Iterator[Forger]:
    with calling_as(LSP, network, network.lender, kind=CallForger) as forger:
        yield forger


def test_the_same_request_id_is_an_exchange_of_its_own_in_each(network: Network) -> None:
    request_id = new_id()
    content = {"requestId": request_id, **example_of(find_message(letters.TRIGGER))}

    network.lsp.ops.send(letters.TRIGGER, LENDER, content)
    network.send(TRIGGER, requestId=request_id)

    for callback in (letters.TRIGGERED, TRIGGERED):
        eventually(lambda name=callback: network.lsp.received(request_id, name))  # type: ignore[misc]
        eventually(lambda name=callback: network.lender.delivered(request_id, name))  # type: ignore[misc]
    notices = network.lender.ops.notices(request_id)
    assert len(notices) == 2


def test_a_captured_envelope_of_v3_is_refused_in_v4_in_every_dress(network: Network, v3: Forger, v4: Forger) -> None:
    document, key, token = letters.letter(letters.TRIGGER, LSP), key_of(network, LSP), token_of(network, LSP)
    captured = letters.envelope(document, key)
    assert v3.post(V3, captured).error == SUCCESS
    bearer = {**JSON, "authorization": f"Bearer {token}"}
    parts = json.loads(captured)
    detached, attached = (f"{parts['header']}.{payload}.{parts['signature']}" for payload in ("", parts["payload"]))
    entries = network.lender.books.entries()

    refusals = [
        v4.call("POST", V4, captured, JSON),
        v4.call("POST", V4, captured, bearer),
        v4.call("POST", V4, captured, {**bearer, "signature": attached}),
        v4.call("POST", V4, dump_json(document), {**bearer, "signature": detached}),
    ]

    assert [(refusal.status, refusal.error) for refusal in refusals] == [(401, "AUTH1005"), *[(401, "AUTH1001")] * 3]
    assert network.lender.books.entries() <= entries


def test_a_captured_call_of_v4_is_refused_in_v3_in_every_dress(network: Network, v3: Forger, v4: Forger) -> None:
    document, key = written(network, LSP), key_of(network, LSP)
    good = call(document, key, token_of(network, LSP))
    assert v4.send(good).error == SUCCESS
    in_base64 = seal_in_base64(good.body, key.bound_to("RS256"))["signature"]
    entries = network.lender.books.entries()

    refusals = [v3.call("POST", V3, good.body, good.headers)]
    for signature in (good.headers["signature"], in_base64):
        header, _, signed = signature.split(".")
        parts = {"payload": base64url_encode(good.body), "header": header, "signature": signed}
        refusals.append(v3.post(V3, dump_json(parts)))

    assert [refusal.ack["detail"]["check"] for refusal in refusals] == [
        "one_signed_header",
        "header_members_are_allowed",
        "algorithm_is_the_agreed_one",
    ]
    assert network.lender.books.entries() <= entries


def test_a_callback_of_one_version_answers_no_request_of_the_other(network: Network) -> None:
    asked_in_v4 = network.send(TRIGGER)
    asked_in_v3 = network.lsp.ops.send(letters.TRIGGER, LENDER, example_of(find_message(letters.TRIGGER)))["request_id"]
    eventually(lambda: network.lsp.received(asked_in_v4, TRIGGERED))
    eventually(lambda: network.lsp.received(asked_in_v3, letters.TRIGGERED))
    entries, key = network.lsp.books.entries(), key_of(network, LENDER)

    with calling_as(LENDER, network, network.lsp) as forger:
        document = letters.letter(letters.TRIGGERED, LENDER, requestId=asked_in_v4)
        in_v3 = forger.post(letters.path_of(letters.TRIGGERED), letters.envelope(document, key))
    with calling_as(LENDER, network, network.lsp, kind=CallForger) as forger:
        document = written(network, LENDER, TRIGGERED, requestId=asked_in_v3)
        in_v4 = forger.send(call(document, key, token_of(network, LENDER), TRIGGERED))

    assert [(refusal.status, refusal.error) for refusal in (in_v3, in_v4)] == [(422, "GEN5011")] * 2
    assert network.lsp.books.entries() <= entries
