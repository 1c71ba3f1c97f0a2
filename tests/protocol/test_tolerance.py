"""What a receiver has to take although it is not what our own sender writes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.protocol.encoding import base64url_decode, dump_json
from shared.protocol.participants import Participant
from shared.protocol.tampering import GoodMessage
from tests.protocol.receiver import LSP_CERTIFICATE, NOW, Receiver, payload_of


@pytest.mark.parametrize("seconds", [-300, -240, -5, 0, 5, 10, 60])
def test_a_clock_that_is_a_little_off_is_tolerated(seconds: int, good_message: GoodMessage, receiver: Receiver) -> None:
    assert receiver.take(good_message.send(), NOW - timedelta(seconds=seconds)).passed


@pytest.mark.parametrize(
    "timestamp",
    [
        "2031-03-04T05:06:07Z",
        "2031-03-04T10:36:07+05:30",
        "2031-03-04T05:06:07.890123Z",
        "2031-03-04T05:06:07.890123456Z",
        "2031-03-03T23:06:07.8-06:00",
    ],
)
def test_a_timestamp_counts_in_every_form_of_rfc_3339(
    timestamp: str, good_message: GoodMessage, receiver: Receiver
) -> None:
    assert receiver.take(good_message.send_document(good_message.with_metadata(timestamp=timestamp))).passed


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON", "application/json "],
)
def test_a_content_type_may_have_parameters_and_capitals(
    content_type: str, good_message: GoodMessage, receiver: Receiver
) -> None:
    headers = {"content-type": content_type, "content-encoding": "identity"}
    assert receiver.take(replace(good_message, headers=headers).send()).passed


def test_members_that_nobody_knows_are_tolerated(good: GoodMessage, receiver: Receiver) -> None:
    payload = dump_json({**good.document, "note": {"a": [None, True]}})
    header = dump_json({**good.header, "typ": "JOSE+JSON", "cty": "application/json"})
    members = {**good.members(good.envelope(payload, header)), "note": "outside of the signature"}

    assert receiver.take(good.send_members(members)).passed


def test_the_backup_key_counts_at_any_time(good: GoodMessage, receiver: Receiver) -> None:
    header = {**good.header, "kid": good.backup_key.kid}
    assert receiver.take(good.send_header(header, good.backup_key)).passed


def test_the_same_message_again_under_a_new_nonce_is_taken_as_repeated(good: GoodMessage, receiver: Receiver) -> None:
    assert receiver.take(good.send()).passed
    assert receiver.take(good.send_document(good.restamped(good.document))).passed


def test_nonces_and_request_ids_of_two_senders_do_not_meet(
    good_message: GoodMessage, lsp: Participant, lender: Participant
) -> None:
    twin = replace(lender, role=lsp.role, certificates=frozenset({LSP_CERTIFICATE}))
    receiver = Receiver((lsp, twin))
    key = good_message.other.key
    document = dump_json(payload_of("TriggerLoanAcceptanceRequest", orgId=twin.id))
    body = good_message.envelope(document, base64url_decode(key.header), key).to_bytes()

    assert receiver.take(good_message.send()).passed
    assert receiver.take(good_message.send(body)).passed
