"""Whose key it is, whether it comes from its holder, and whether the signature is that key's."""

import hashlib

from shared.protocol.detached import OpenedCall, signing_input
from shared.protocol.envelope import OpenedEnvelope
from shared.protocol.phases import Identified
from shared.protocol.problems import Problem
from shared.protocol.signing import VerificationKey
from shared.protocol.verification import Finding, Need, check

MAX_GUESSED_BYTES = 65_536
"""Of a larger message is not found out what was signed instead: that would take several times as long as the check."""


@check(Problem.SIGNATURE, Need.KEY)
def kid_selects_a_key_that_counts(message: Identified) -> Finding:
    """The kid is that of a configured key of the sender that still counts (OCEN v3 Security, keys)."""
    expected = "the kid of an active or back-up key of an onboarded participant"
    key, kid = message.key, message.opened.kid
    if key is None:
        return Finding(False, expected, f"{kid}, which is nobody's")
    holder = message.holder.id
    return Finding(key.status.counts, expected, lambda: f"{kid}, {key.status} key of {holder}")


@check(Problem.SIGNATURE, Need.CONNECTION, Need.DIRECTORY)
def certificate_is_registered(message: Identified) -> Finding:
    """The TLS certificate is one that the holder of the key has registered (OCEN v3 Security, TLS; RFC 8705 s3)."""
    # The code is that of an unknown kid: which kids exist at other participants is nobody else's business.
    holder, certificate = message.holder, message.opened.peer.certificate
    return Finding(
        certificate in holder.certificates,
        lambda: f"a certificate registered for {holder.id}",
        lambda: f"sha256 {certificate[:16]}...",
    )


@check(Problem.SENDER, Need.CONNECTION, Need.DIRECTORY, Need.HISTORY)
def source_address_is_listed(message: Identified) -> Finding:
    """The call comes from an address that the holder of the key has listed (OCEN v3 Security, Onboarding Process 5)."""
    holder, address = message.holder, message.opened.peer.address
    if holder.calls_from(address):
        return Finding(True, lambda: f"an address of {holder.id}", address)
    return Finding(False, ", ".join(str(network) for network in holder.networks), address)


@check(Problem.SIGNATURE, Need.KEY, Need.SIGNATURE)
def signature_verifies(message: Identified) -> Finding:
    """The signature is that key's over header, dot, payload exactly as received (RFC 7515 s5.2; RFC 7518 s3.3)."""
    key, opened = message.key, message.opened
    assert key is not None
    verifies = key.verifier.algorithm == opened.algorithm and key.verifier.verify(
        opened.signing_input, opened.signature
    )
    expected = f"an {opened.algorithm} signature by {key.kid}"
    if verifies:
        return Finding(True, expected, lambda: f"{len(opened.signature)} bytes that verify")
    return Finding(False, expected, _what_was_signed(message, key.verifier))


_HASHES = {"RS256": "SHA-256", "RS512": "SHA-512"}


def _what_was_signed(message: Identified, verifier: VerificationKey) -> str:
    """Tell the maker of a wrong signature where to look: at the key, at the hash, or at the bytes."""
    opened = message.opened
    size, unsealed = len(opened.signature), verifier.open(opened.signature)
    if unsealed is None:
        return f"{size} bytes that do not verify: not a signature by this key"
    name, digest = unsealed
    if name != _HASHES[opened.algorithm]:
        return f"a signature by this key that does not verify: it is over {name}"
    if len(opened.body) > MAX_GUESSED_BYTES:
        return "a signature by this key that does not verify: it is over other bytes than these"
    hashed = hashlib.sha512 if name == "SHA-512" else hashlib.sha256
    guesses = _of_envelope(opened) if isinstance(opened, OpenedEnvelope) else {}
    guesses |= _of_call(opened) if isinstance(opened, OpenedCall) else {}
    guess = next((what for what, text in guesses.items() if hashed(text).digest() == digest), "other bytes than these")
    return f"a signature by this key that does not verify: it is over {guess}"


def _of_envelope(opened: OpenedEnvelope) -> dict[str, bytes]:
    header, payload = opened.outer[opened.member].encode(), opened.outer["payload"].encode()
    return {
        "payload.header, the wrong way round": payload + b"." + header,
        "the decoded header and payload": opened.header_bytes + b"." + opened.payload,
        "the payload alone": payload,
        "the decoded payload alone": opened.payload,
    }


def _of_call(opened: OpenedCall) -> dict[str, bytes]:
    header, body = opened.parts[0], opened.body
    return {
        "header.body, the body as it is": signing_input(header, body, is_unencoded=True),
        "header.base64url(body)": signing_input(header, body, is_unencoded=False),
        "an empty payload": header.encode() + b".",
        "the body alone": body,
    }
