"""What is spoiled in calls of OCEN 4.0 alone: token, detached signature, originator and network."""

from shared.protocol.tampering.v4 import (
    bearer,
    claims,
    form,
    header,
    once,
    originator,
    party,
    signature,
    token,
)

PARTS = (
    bearer.rows,
    form.rows,
    header.rows,
    token.rows,
    claims.rows,
    party.rows,
    signature.rows,
    originator.rows,
    once.rows,
)
