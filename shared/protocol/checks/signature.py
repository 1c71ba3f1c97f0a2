"""Whose key it is, and whether the signature is that key's."""

import hashlib

from shared.protocol.detached import signing_input
from shared.protocol.problems import Problem
from shared.protocol.signing import VerificationKey
from shared.protocol.verification import Examination, Finding, Need, check

MAX_GUESSED_BYTES = 65_536
"""Of a larger message is not found out what was signed instead: that would take several times as long as the check."""


@check(Problem.SIGNATURE, Need.KEY)
def kid_selects_a_key_that_counts(examination: Examination) -> Finding:
    """The kid is that of a configured key of the sender that still counts (seed 002, How are the keys managed)."""
    expected = "the kid of an active or back-up key of an onboarded participant"
    kid = examination.kid or ""
    key = examination.holder.key(kid) if examination.holder else None
    if key is None or examination.holder is None:
        return Finding(False, expected, f"{kid}, which is nobody's")
    examination.key = key
    found = f"{kid}, {key.status} key of {examination.holder.organisation_id}"
    return Finding(key.status.counts, expected, found)


@check(Problem.SIGNATURE, Need.KEY, Need.SIGNATURE)
def signature_verifies(examination: Examination) -> Finding:
    """The signature is that key's over header, dot, payload exactly as received (RFC 7515 s5.2; RFC 7518 s3.3)."""
    key = examination.key
    assert key is not None
    verifies = key.verifier.algorithm == examination.algorithm and key.verifier.verify(
        examination.signing_input, examination.signature
    )
    expected = f"an {examination.algorithm} signature by {key.kid}"
    if verifies:
        return Finding(True, expected, f"{len(examination.signature)} bytes that verify")
    return Finding(False, expected, _what_was_signed(examination, key.verifier))


_HASHES = {"RS256": "SHA-256", "RS512": "SHA-512"}


def _what_was_signed(examination: Examination, verifier: VerificationKey) -> str:
    """Tell the maker of a wrong signature where to look: at the key, at the hash, or at the bytes."""
    size, opened = len(examination.signature), verifier.open(examination.signature)
    if opened is None:
        return f"{size} bytes that do not verify: not a signature by this key"
    name, digest = opened
    if name != _HASHES[examination.algorithm]:
        return f"a signature by this key that does not verify: it is over {name}"
    if len(examination.body) > MAX_GUESSED_BYTES:
        return "a signature by this key that does not verify: it is over other bytes than these"
    hashed = hashlib.sha512 if name == "SHA-512" else hashlib.sha256
    guesses = _of_envelope(examination) if examination.envelope else _of_detached(examination)
    guess = next((what for what, text in guesses.items() if hashed(text).digest() == digest), "other bytes than these")
    return f"a signature by this key that does not verify: it is over {guess}"


def _of_envelope(examination: Examination) -> dict[str, bytes]:
    assert examination.envelope is not None
    header, payload = examination.envelope.header.encode(), examination.envelope.payload.encode()
    return {
        "payload.header, the wrong way round": payload + b"." + header,
        "the decoded header and payload": examination.header_bytes + b"." + examination.payload,
        "the payload alone": payload,
        "the decoded payload alone": examination.payload,
    }


def _of_detached(examination: Examination) -> dict[str, bytes]:
    header, body = examination.header_text, examination.body
    return {
        "header.body, the body as it is": signing_input(header, body, is_unencoded=True),
        "header.base64url(body)": signing_input(header, body, is_unencoded=False),
        "an empty payload": header.encode() + b".",
        "the body alone": body,
    }
