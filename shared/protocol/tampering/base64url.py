"""Parts that a lenient decoder reads like the good ones, though they are written in another way.

A rewritten payload or header is signed as it is written, so that nothing but its form is wrong.
"""

from collections.abc import Callable, Mapping
from itertools import count
from string import ascii_lowercase, ascii_uppercase, digits

from shared.protocol.checks.opening import parts_are_canonical_base64url
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.tampering.base import OutgoingMessage
from shared.protocol.tampering.good import GoodMessage
from shared.protocol.tampering.table import Rows

rows = Rows[GoodMessage]()

PARTS = ("payload", "header", "signature")
ALPHABET = ascii_uppercase + ascii_lowercase + digits + "-_"


@rows.each_caught_by(*PARTS, v3=parts_are_canonical_base64url, requirement="OCEN-JWS-21")
def padding_in(good: GoodMessage, case: str) -> OutgoingMessage:
    """The {} ends in base64 padding."""
    return _rewritten(good, case, _padded)


@rows.each_caught_by(*PARTS, v3=parts_are_canonical_base64url, requirement="OCEN-JWS-21")
def spaces_in(good: GoodMessage, case: str) -> OutgoingMessage:
    """The {} has a space and a tab in its middle."""
    return _rewritten(good, case, _with_spaces)


@rows.each_caught_by(*PARTS, v3=parts_are_canonical_base64url, requirement="OCEN-JWS-21")
def line_break_in(good: GoodMessage, case: str) -> OutgoingMessage:
    """The {} goes over two lines."""
    return _rewritten(good, case, _over_two_lines)


@rows.each_caught_by(*PARTS, v3=parts_are_canonical_base64url, requirement="OCEN-JWS-21")
def junk_in(good: GoodMessage, case: str) -> OutgoingMessage:
    """The {} has characters in its middle that no base64 alphabet has."""
    return _rewritten(good, case, _with_junk)


@rows.each_caught_by(*PARTS, v3=parts_are_canonical_base64url, requirement="OCEN-JWS-21")
def other_alphabet_in(good: GoodMessage, case: str) -> OutgoingMessage:
    """The {} is written in the ordinary base64 alphabet, with plus and slash."""
    return _rewritten(good, case, _in_other_alphabet)


@rows.each_caught_by(*PARTS, v3=parts_are_canonical_base64url, requirement="OCEN-JWS-22")
def surplus_bits_in(good: GoodMessage, case: str) -> OutgoingMessage:
    """The last character of the {} is another one that decodes to the same bytes."""
    return _rewritten(good, case, _with_surplus_bits)


def _rewritten(good: GoodMessage, part: str, rewrite: Callable[[str], str]) -> OutgoingMessage:
    payload = base64url_encode(_rewritable_payload(good))
    header = base64url_encode(_unaligned(dump_json({**good.header, "typ": "???"})))
    if part == "payload":
        return good.send_members(good.members(good.sign_texts(rewrite(payload), header)))
    if part == "header":
        return good.send_members(good.members(good.sign_texts(payload, rewrite(header))))
    members = good.members(good.sign_texts(payload, header))
    return good.send_members({**members, "signature": rewrite(members["signature"])})


def _rewritable_payload(good: GoodMessage) -> bytes:
    # Three question marks have an underscore in base64url; a signature without one is rare, but possible.
    candidates = (_unaligned(dump_json({**good.document, "note": "?" * length})) for length in count(3))
    return next(payload for payload in candidates if set("-_") & set(good.envelope(payload).signature))


def _unaligned(json_text: bytes) -> bytes:
    """Add white space until base64 would pad: only then a part can have padding or surplus bits."""
    return json_text + b" " if len(json_text) % 3 == 0 else json_text


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)


def _with_spaces(text: str) -> str:
    return f"{text[:8]} \t{text[8:]}"


def _over_two_lines(text: str) -> str:
    return f"{text[:8]}\r\n{text[8:]}"


def _with_junk(text: str) -> str:
    return f"{text[:8]}!!!!{text[8:]}"


def _in_other_alphabet(text: str) -> str:
    return text.replace("-", "+").replace("_", "/")


def _with_surplus_bits(text: str) -> str:
    return text[:-1] + ALPHABET[ALPHABET.index(text[-1]) | 1]


REWRITES: Mapping[str, Callable[[str], str]] = {
    "padding": _padded,
    "spaces": _with_spaces,
    "junk": _with_junk,
    "other alphabet": _in_other_alphabet,
    "surplus bits": _with_surplus_bits,
}
"""Ways to write a part that fit on one line; a part is to have characters of the other alphabet, and surplus bits."""
