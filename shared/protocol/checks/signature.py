"""Whose key it is, and whether the signature is that key's."""

from shared.protocol.participants import KeyStatus
from shared.protocol.problems import Problem
from shared.protocol.verification import Examination, Finding, Need, check


@check(Problem.SIGNATURE, Need.KEY)
def kid_selects_a_key_that_counts(examination: Examination) -> Finding:
    """The kid is that of a configured key of the sender, not blocked (seed 002, How are the keys managed)."""
    expected = "the kid of an active or back-up key of an onboarded participant"
    kid = examination.kid or ""
    key = examination.holder.key(kid) if examination.holder else None
    if key is None or examination.holder is None:
        return Finding(False, expected, f"{kid}, which is nobody's")
    found = f"{kid}, {key.status} key of {examination.holder.organisation_id}"
    return Finding(key.status is not KeyStatus.BLOCKED, expected, found)


@check(Problem.SIGNATURE, Need.KEY)
def signature_verifies(examination: Examination) -> Finding:
    """The signature is that key's over header, dot, payload exactly as received (RFC 7515 s5.2; RFC 7518 s3.3)."""
    holder, envelope = examination.holder, examination.envelope
    assert holder is not None
    assert envelope is not None
    key = holder.key(examination.kid or "")
    assert key is not None
    verifies = key.verifier.algorithm == examination.algorithm and key.verifier.verify(
        envelope.signing_input, examination.signature
    )
    found = f"{len(examination.signature)} bytes that {'verify' if verifies else 'do not verify'}"
    return Finding(verifies, f"an {examination.algorithm} signature by {key.kid}", found)
