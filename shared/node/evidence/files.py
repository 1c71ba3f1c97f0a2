"""The files that a bundle holds of its parts, keys and certificates, and how they are called."""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Final

from shared.node.evidence.gathering import Part
from shared.protocol.opened import OpenedEnvelope
from shared.protocol.signing import VerificationKey

_QUOTED: Final = rb'"%s"[ \t]*:[ \t]*"(?:[^"\\]|\\.)*"'


def key_file(key: VerificationKey) -> str:
    """Return where a key is in a bundle; it is called by what it is, for a kid is a stranger's text."""
    return f"keys/{hashlib.sha256(key.to_pem().encode()).hexdigest()}.pub.pem"


def certificate_file(sha256: str) -> str:
    """Return where the certificate with that thumbprint is in a bundle."""
    return f"certificates/{sha256}.pem"


def signing_word(part: Part) -> str:
    """Say in a word of parts.txt how what is signed is put together; empty where the text cannot be taken apart."""
    opened = part.judged.opened if part.judged else None
    if opened is None or not opened.signature:
        return ""
    if isinstance(opened, OpenedEnvelope):
        return "key" if opened.header_bytes and opened.payload else ""
    return "beside" if opened.header.get("b64") is False else "beside-base64"


def part_files(part: Part) -> Iterator[tuple[str, bytes]]:
    """Give the exact bytes of a part, what is signed of it, decoded, where it can be taken apart, and its key."""
    if part.text.body:
        yield f"{part.name}.json", part.text.body
    if part.text.signature:
        yield f"{part.name}.jws", part.text.signature.encode()
    word = signing_word(part)
    if part.judged is not None and word:
        opened = part.judged.opened
        yield f"{part.name}.header.json", opened.header_bytes
        if word == "key":
            yield f"{part.name}.payload.json", opened.payload
        yield f"{part.name}.signature", opened.signature
    if part.key is not None:
        yield key_file(part.key.verifier), part.key.verifier.to_pem().encode()


def quotation(text: bytes, member: str, value: str) -> str:
    """Return the place of a JSON text where a member has that value, as it stands there: `"traceId": "..."`.

    JSON may be written in many ways, and a shell cannot read it, but it can look for a text. Where the text has no such
    place, what it would look like is returned.
    """
    for found in re.finditer(_QUOTED % re.escape(member.encode()), text):
        try:
            if json.loads(b"{%s}" % found[0]) == {member: value}:
                return found[0].decode()
        except ValueError:
            continue
    return f'"{member}":{json.dumps(value, ensure_ascii=False)}'
