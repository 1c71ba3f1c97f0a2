"""Reading the frozen vectors, and what is in them."""

import json
from pathlib import Path
from typing import Any

from shared.protocol.messages import Role
from shared.protocol.participants import KeyStatus, Participant, PublicKey
from shared.protocol.signing import load_public_key

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
DOCUMENTS = ROOT.parent / "shared" / "ocen"
"""Facts collected from the OCEN documents; not part of a clone, so whoever reads them skips where they are absent."""


def vector(name: str) -> dict[str, Any]:
    """One file of vectors."""
    content: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return content


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of one file."""
    found: list[dict[str, Any]] = vector(name)["cases"]
    return found


def body_of(case: dict[str, Any]) -> bytes:
    """The exact bytes of a case's body."""
    return bytes.fromhex(case["body_hex"]) if "body_hex" in case else str(case["body"]).encode()


def participants() -> dict[str, Participant]:
    """The participants of the vectors, by the kids of their keys."""
    found = [_participant(entry) for entry in vector("v3_participants")["participants"]]
    return {key.kid: participant for participant in found for key in participant.keys}


def _participant(entry: dict[str, Any]) -> Participant:
    keys = tuple(
        PublicKey(key["jwk"]["kid"], load_public_key(json.dumps(key["jwk"]), "RS512"), KeyStatus(key["status"]))
        for key in entry["keys"]
    )
    return Participant(
        id=entry["organisationId"],
        name=entry["organisationId"],
        role=Role(entry["role"]),
        base_url="https://participant.example",
        certificates=frozenset({"33" * 32}),
        keys=keys,
    )
