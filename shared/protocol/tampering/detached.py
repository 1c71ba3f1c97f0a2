"""Signature headers that are not one detached JWS in canonical base64url."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count

from shared.protocol.checks.detached import signature_header_is_given_once, signature_is_detached
from shared.protocol.detached import SIGNATURE_HEADER, STARTER_HEADER
from shared.protocol.encoding import base64url_encode, dump_json
from shared.protocol.tampering.base import OutgoingMessage
from shared.protocol.tampering.base64url import REWRITES
from shared.protocol.tampering.call import GoodCall
from shared.protocol.tampering.table import Rows

rows = Rows[GoodCall]()

REWRITTEN = tuple(f"{part}, {name}" for part in ("header", "signature") for name in REWRITES)

ODD_FORMS: Mapping[str, Callable[[str, str], str]] = {
    "two parts": lambda header, signature: f"{header}.{signature}",
    "four parts": lambda header, signature: f"{header}...{signature}",
    "no header": lambda _, signature: f"..{signature}",
    "no signature": lambda header, _: f"{header}..",
    "nothing but dots": lambda _header, _signature: "..",
    "the form of RFC 9421": lambda _, signature: f"sig1=:{signature}:",
    "the signature alone": lambda _, signature: signature,
}


@rows.caught_by(v4=signature_header_is_given_once, requirement="OCEN-DET-01")
def signature_missing(good: GoodCall) -> OutgoingMessage:
    """There is no signature."""
    return good.with_header(SIGNATURE_HEADER, None)


@rows.caught_by(v4=signature_header_is_given_once, requirement="OCEN-DET-01 OCEN-JWS-11")
def signature_empty(good: GoodCall) -> OutgoingMessage:
    """The header Signature is empty."""
    return good.send_signature("")


@rows.caught_by(v4=signature_header_is_given_once, requirement="OCEN-DET-01")
def signature_twice(good: GoodCall) -> OutgoingMessage:
    """The header Signature is there twice, with the same good value."""
    return replace(good.send(), further_headers=((SIGNATURE_HEADER, good.sign()),))


@rows.caught_by(v4=signature_header_is_given_once, requirement="OCEN-DET-01")
def signatures_joined(good: GoodCall) -> OutgoingMessage:
    """The header Signature has a false value and the good one, with a comma between them."""
    return good.send_signature(f"{good.sign(b'{}')}, {good.sign()}")


@rows.each_caught_by(SIGNATURE_HEADER, STARTER_HEADER, v4=signature_header_is_given_once, requirement="OCEN-DET-01")
def signatures_differ_and_good_is(good: GoodCall, case: str) -> OutgoingMessage:
    """Signature and x-jws-signature are both there and differ; the good one is {}."""
    false, other = good.sign(b"{}"), STARTER_HEADER if case == SIGNATURE_HEADER else SIGNATURE_HEADER
    message = good.send()
    return replace(message, headers={**message.headers, case: good.sign(), other: false})


@rows.each_caught_by(*ODD_FORMS, v4=signature_is_detached, requirement="OCEN-DET-01")
def signature_has(good: GoodCall, case: str) -> OutgoingMessage:
    """What stands in the header Signature has {}."""
    header, _, signature = good.sign().split(".")
    return good.send_signature(ODD_FORMS[case](header, signature))


@rows.caught_by(v4=signature_is_detached, requirement="OCEN-DET-02")
def embedded(good: GoodCall) -> OutgoingMessage:
    """The signature is a JWS with its payload in it, which is the body."""
    return good.send_signature(_embedded(good))


@rows.caught_by(v4=signature_is_detached, requirement="OCEN-DET-02")
def embedded_for_another_body(good: GoodCall) -> OutgoingMessage:
    """A JWS with a good payload in it, captured once, is sent for another body; official starters take it."""
    return good.send_signature(_embedded(good), dump_json({**good.document, "note": "forged"}))


@rows.each_caught_by(*REWRITTEN, v4=signature_is_detached, requirement="OCEN-JWS-21 OCEN-JWS-22")
def rewritten(good: GoodCall, case: str) -> OutgoingMessage:
    """A part is written so that only a lenient decoder reads it like the good one: {}."""
    part, name = case.split(", ")
    header, _, signature = _rewritable(good).split(".")
    texts = {"header": header, "signature": signature}
    texts[part] = REWRITES[name](texts[part])
    if part == "header":  # signed as it is written, so that nothing but its form is wrong
        payload = good.payload if good.is_unencoded else base64url_encode(good.payload).encode()
        texts["signature"] = base64url_encode(good.key.sign(texts["header"].encode() + b"." + payload))
    return good.send_signature(f"{texts['header']}..{texts['signature']}")


def _embedded(good: GoodCall) -> str:
    header = {"alg": good.key.algorithm, "kid": good.key.kid}
    return good.sign(header=header).replace("..", f".{base64url_encode(good.payload)}.")


def _rewritable(good: GoodCall) -> str:
    """Sign under a header that has characters of the other alphabet and would be padded, as the signature has them."""
    headers = (dump_json({**good.header, "typ": "?" * length}) for length in count(3))
    signed = (good.sign(header=header) for header in headers if len(header) % 3)
    return next(text for text in signed if all(set("-_") & set(part) for part in text.split("..")))
