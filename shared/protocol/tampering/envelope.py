"""Bodies that are no envelope, and envelopes that are not flattened ones with one signed header."""

from dataclasses import replace

from shared.protocol.checks.journal import nonce_is_new
from shared.protocol.checks.opening import (
    body_is_a_json_object,
    envelope_is_flattened,
    one_signed_header,
    parts_are_strings,
)
from shared.protocol.encoding import MAX_VALUES, dump_json
from shared.protocol.participants import EnvelopeMember
from shared.protocol.tampering.base import OutgoingMessage
from shared.protocol.tampering.good import GoodMessage
from shared.protocol.tampering.table import Rows

rows = Rows[GoodMessage]()


@rows.caught_by(v3=body_is_a_json_object)
def body_empty(good: GoodMessage) -> OutgoingMessage:
    """The body is empty."""
    return good.send(b"")


@rows.caught_by(v3=body_is_a_json_object)
def body_cut_short(good: GoodMessage) -> OutgoingMessage:
    """The body ends in the middle of the envelope."""
    body = good.send().body
    return good.send(body[: len(body) // 2])


@rows.caught_by(v3=body_is_a_json_object)
def body_in_an_array(good: GoodMessage) -> OutgoingMessage:
    """The envelope is the only element of a JSON array."""
    return good.send_members([good.parts])


@rows.caught_by(v3=body_is_a_json_object, requirement="OCEN-JWS-20")
def compact_serialisation(good: GoodMessage) -> OutgoingMessage:
    """The body is a compact JWS: header, payload and signature with dots between them."""
    envelope = good.envelope()
    return good.send(envelope.signing_input + f".{envelope.signature}".encode())


@rows.caught_by(v3=body_is_a_json_object, requirement="OCEN-JWS-20")
def compact_serialisation_in_json(good: GoodMessage) -> OutgoingMessage:
    """The body is a compact JWS as one JSON string."""
    return good.send_members(compact_serialisation(good).body.decode())


@rows.caught_by(v3=body_is_a_json_object)
def body_with_byte_order_mark(good: GoodMessage) -> OutgoingMessage:
    """A byte order mark stands before the envelope."""
    return good.send(b"\xef\xbb\xbf" + good.send().body)


@rows.caught_by(v3=body_is_a_json_object)
def body_in_utf16(good: GoodMessage) -> OutgoingMessage:
    """The envelope is written in UTF-16."""
    return good.send(good.send().body.decode().encode("utf-16"))


@rows.caught_by(v3=body_is_a_json_object)
def body_not_utf8(good: GoodMessage) -> OutgoingMessage:
    """The envelope has a further member whose value is not UTF-8."""
    return good.send(good.send().body[:-1] + b',"note":"\xff"}')


@rows.each_caught_by("payload", "header", "signature", v3=body_is_a_json_object, requirement="OCEN-JWS-13")
def part_twice(good: GoodMessage, case: str) -> OutgoingMessage:
    """The {} stands in the envelope twice, first with a false value."""
    return good.send(f'{{"{good.name_of(case)}":"AAAA",'.encode() + good.send().body[1:])


@rows.caught_by(v3=body_is_a_json_object, requirement="OCEN-JWS-23")
def body_too_deep(good: GoodMessage) -> OutgoingMessage:
    """The envelope has a further member of 10,000 nested arrays."""
    return good.send(good.send().body[:-1] + b',"note":' + b"[" * 10_000 + b"]" * 10_000 + b"}")


@rows.caught_by(v3=body_is_a_json_object, requirement="OCEN-JWS-23")
def body_with_too_many_values(good: GoodMessage) -> OutgoingMessage:
    """The envelope has more values than any message needs."""
    return good.send_members({**good.parts, **{f"{number:x}": 0 for number in range(MAX_VALUES)}})


@rows.caught_by(v3=envelope_is_flattened, requirement="OCEN-JWS-20")
def general_serialisation(good: GoodMessage) -> OutgoingMessage:
    """The envelope is a general JWS with one signature."""
    return good.send_members({"payload": good.parts["payload"], "signatures": [_signature_object(good)]})


@rows.caught_by(v3=envelope_is_flattened, requirement="OCEN-JWS-20")
def general_serialisation_with_a_false_signature(good: GoodMessage) -> OutgoingMessage:
    """The envelope is a general JWS with a false and a good signature."""
    signatures = [{**_signature_object(good), "signature": "AAAA"}, _signature_object(good)]
    return good.send_members({"payload": good.parts["payload"], "signatures": signatures})


@rows.caught_by(v3=envelope_is_flattened, requirement="OCEN-JWS-20")
def flattened_and_general(good: GoodMessage) -> OutgoingMessage:
    """The good envelope has a member signatures as well."""
    return good.send_members({**good.parts, "signatures": [_signature_object(good)]})


@rows.caught_by(v3=one_signed_header, requirement="OCEN-JWS-15")
def header_missing(good: GoodMessage) -> OutgoingMessage:
    """The envelope has neither header nor protected."""
    return good.send_members({name: good.parts[name] for name in ("payload", "signature")})


@rows.caught_by(v3=one_signed_header, requirement="OCEN-JWS-15")
def header_empty(good: GoodMessage) -> OutgoingMessage:
    """The signed header is an empty string, and the signature is over it and the payload."""
    return good.send_header(b"")


@rows.caught_by(v3=one_signed_header, requirement="OCEN-JWS-15")
def header_as_an_object(good: GoodMessage) -> OutgoingMessage:
    """The header is a JSON object, which nothing signs."""
    return good.send_members({"payload": good.parts["payload"], "header": good.header, "signature": _signature(good)})


@rows.caught_by(v3=one_signed_header, requirement="OCEN-JWS-15")
def header_in_both_spellings(good: GoodMessage) -> OutgoingMessage:
    """The signed header stands there twice, as header and as protected."""
    header = good.envelope().header
    return good.send_members({**good.parts, "header": header, "protected": header})


@rows.each_caught_by("alg", "kid", v3=one_signed_header, requirement="OCEN-JWS-15")
def unsigned(good: GoodMessage, case: str) -> OutgoingMessage:
    """Only the unsigned header, an object beside the signed one, has {}."""
    signed = {name: value for name, value in good.header.items() if name != case}
    return _with_unsigned_header(good, signed, {case: good.header[case]})


@rows.caught_by(v3=one_signed_header, requirement="OCEN-JWS-16")
def unsigned_critical_extension(good: GoodMessage) -> OutgoingMessage:
    """An unsigned header, an object beside the signed one, lists a critical extension."""
    return _with_unsigned_header(good, good.header, {"crit": ["note"], "note": True})


@rows.each_caught_by("payload", "signature", v3=parts_are_strings, requirement="OCEN-JWS-11")
def part_missing(good: GoodMessage, case: str) -> OutgoingMessage:
    """The envelope has no {}."""
    return good.send_members({name: value for name, value in good.parts.items() if name != case})


@rows.each_caught_by("payload", "signature", v3=parts_are_strings, requirement="OCEN-JWS-11")
def part_empty(good: GoodMessage, case: str) -> OutgoingMessage:
    """The {} is an empty string."""
    return good.send_members({**good.parts, case: ""})


@rows.caught_by(v3=parts_are_strings, requirement="OCEN-JWS-24")
def payload_as_an_object(good: GoodMessage) -> OutgoingMessage:
    """The payload is a JSON object, not its base64url text."""
    return good.send_members({**good.parts, "payload": good.document})


@rows.caught_by(v3=nonce_is_new, after_the_good_one=True, requirement="OCEN-RPL-01")
def replayed_in_the_other_spelling(good: GoodMessage) -> OutgoingMessage:
    """The good message is sent again with its header called protected, or the reverse; the signature holds."""
    other = next(member for member in EnvelopeMember if member is not good.member)
    return good.send(replace(good.envelope(), member=other).to_bytes())


def _signature(good: GoodMessage) -> str:
    return good.envelope().signature


def _signature_object(good: GoodMessage) -> dict[str, str]:
    return {"protected": good.envelope().header, "signature": _signature(good)}


def _with_unsigned_header(
    good: GoodMessage, signed: dict[str, object], unsigned_header: dict[str, object]
) -> OutgoingMessage:
    envelope = good.envelope(header=dump_json(signed))
    members = {"payload": envelope.payload, "protected": envelope.header, "signature": envelope.signature}
    return good.send_members({**members, "header": unsigned_header})
