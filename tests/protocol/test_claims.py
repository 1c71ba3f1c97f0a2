"""What an envelope claims before anything is verified."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.phases import NO_PEER, WireMessage
from shared.protocol.profiles import V3
from shared.protocol.tampering import TAMPERINGS, GoodMessage


def claimed_ids(body: bytes) -> tuple[str, str]:
    opened = V3.opened(WireMessage("", "", {}, body, NO_PEER))
    return opened.claims.request_id, opened.claims.trace_id


def claiming(document: object) -> bytes:
    return json.dumps({"payload": base64url_encode(dump_json(document))}).encode()


def test_the_ids_of_a_message_are_read_without_a_signature(good: GoodMessage) -> None:
    assert claimed_ids(good.send().body) == ("request-1", "trace-1")
    assert claimed_ids(claiming({"requestId": "r", "metadata": {"traceId": "t"}})) == ("r", "t")


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        ({}, ("", "")),
        ({"requestId": 5, "metadata": "text"}, ("", "")),
        ({"requestId": "r" * 65, "metadata": {"traceId": "t" * 64}}, ("", "t" * 64)),
        ({"requestId": "r\n", "metadata": {"traceId": "t\u2028"}}, ("", "")),
        ({"requestId": None, "metadata": {"traceId": ["t"]}}, ("", "")),
    ],
)
def test_an_id_that_is_no_plain_text_is_not_echoed(document: object, ids: tuple[str, str]) -> None:
    assert claimed_ids(claiming(document)) == ids


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"payload":5}', b'{"payload":["e30"]}', b'{"payload":"e30="}'])
def test_a_body_that_is_no_envelope_claims_nothing(body: bytes) -> None:
    assert claimed_ids(body) == ("", "")


@given(st.binary(max_size=80))
def test_reading_claims_never_fails(body: bytes) -> None:
    assert claimed_ids(body) == ("", "")
    assert all(isinstance(claimed, str) for claimed in claimed_ids(claiming({"requestId": body.hex()})))


def test_reading_the_claims_of_a_spoiled_message_never_fails(good_message: GoodMessage) -> None:
    for row in TAMPERINGS:
        assert all(len(claimed) <= 64 for claimed in claimed_ids(row.tamper(good_message).body))
