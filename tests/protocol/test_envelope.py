"""Sealing payloads, and what a sender's profile writes."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.encoding import base64url_decode
from shared.protocol.envelope import Envelope, seal
from shared.protocol.participants import EnvelopeMember
from shared.protocol.profiles import V3, Originator
from tests.protocol.conftest import Keys
from tests.protocol.receiver import NOW


@pytest.mark.parametrize("member", list(EnvelopeMember))
def test_an_envelope_has_three_members_under_the_agreed_names(member: EnvelopeMember, keys: Keys) -> None:
    outer = json.loads(V3.sign(b'{"a":1}', keys.lsp, member).body)

    assert list(outer) == ["payload", member.value, "signature"]
    assert base64url_decode(outer["payload"]) == b'{"a":1}'
    assert json.loads(base64url_decode(outer[member.value])) == {"kid": "lsp-2031-a", "alg": "RS512"}


@given(payload=st.binary(max_size=60))
def test_the_signature_is_over_header_dot_payload_exactly_as_they_travel(payload: bytes, keys: Keys) -> None:
    envelope = seal(payload, keys.lsp)

    assert envelope.signing_input == f"{envelope.header}.{envelope.payload}".encode()
    assert keys.lsp.public().verify(envelope.signing_input, base64url_decode(envelope.signature))
    assert base64url_decode(envelope.payload) == payload


def test_both_spellings_carry_one_signature(keys: Keys) -> None:
    one, other = (seal(b"{}", keys.lsp, member) for member in EnvelopeMember)
    assert one.signature == other.signature
    assert one != other
    assert replace(one, member=other.member) == other


def test_an_envelope_is_written_as_a_json_writer_would() -> None:
    envelope = Envelope("cGF5bG9hZA", "aGVhZGVy", "c2ln", EnvelopeMember.PROTECTED)
    assert envelope.to_bytes() == b'{"payload":"cGF5bG9hZA","protected":"aGVhZGVy","signature":"c2ln"}'


def stamped(content: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(V3.stamp(content, Originator("Lsp-417"), "request-1", "trace-1", NOW)))


def test_stamping_puts_fresh_metadata_before_the_content() -> None:
    document = stamped({"requestId": "request-1", "loanApplicationIds": ["a"]})

    assert list(document) == ["metadata", "requestId", "loanApplicationIds"]
    assert document["metadata"] == {
        "version": "1.0",
        "timestamp": "2031-03-04T05:06:07.890Z",
        "traceId": "trace-1",
        "orgId": "Lsp-417",
    }


def test_stamping_keeps_further_metadata_and_overrules_what_it_stamps() -> None:
    document = stamped({"metadata": {"orgId": "somebody", "timestamp": "then", "network": "ocen"}, "requestId": "r"})

    assert document["metadata"]["network"] == "ocen"
    assert document["metadata"]["orgId"] == "Lsp-417"
    assert document["metadata"]["timestamp"] == "2031-03-04T05:06:07.890Z"


def test_stamping_leaves_the_content_as_it_was() -> None:
    content = {"metadata": {"network": "ocen"}, "requestId": "r", "amount": Decimal("10.50")}
    V3.stamp(content, Originator("Lsp-417"), "request-1", "trace-1", NOW)
    assert content == {"metadata": {"network": "ocen"}, "requestId": "r", "amount": Decimal("10.50")}
