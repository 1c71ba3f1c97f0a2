"""The files that a bundle holds of its parts, keys and certificates, and how they are called."""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Final

from shared.node.evidence.parts import Part
from shared.node.evidence.remembered import usable_key
from shared.node.onboarding.history import CertificateHistory, KeyHistory
from shared.protocol.opened import OpenedEnvelope

Files = Iterator[tuple[str, bytes]]

_PLAIN: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
"""Names that mean the same file everywhere, as a UUID does: no letters in two cases, no name of a device (`con`)."""

_QUOTED: Final = rb'"%s"[ \t]*:[ \t]*"(?:[^"\\]|\\.)*"'


def safe_name(text: str) -> str:
    """Return a file name for a stranger's text, such as a kid: the text itself where it is plain.

    Otherwise whatever is not a letter or a digit is replaced, and a digest keeps the name from being another text's: a
    whole one, behind a dot that no plain text has, for who chooses two kids may look for two that share a name, and
    so have one key take the place of the other.
    """
    if _PLAIN.fullmatch(text) and len(text) <= 64:
        return text
    beginning = re.sub("[^A-Za-z0-9]+", "-", text)[:40].strip("-") or "kid"
    return f"{beginning}.{hashlib.sha256(text.encode()).hexdigest()}"


def key_file(kid: str) -> str:
    """Return where the key of that kid is in a bundle."""
    return f"keys/{safe_name(kid)}.pub.pem"


def certificate_file(thumbprint: str) -> str:
    """Return where the certificate with that thumbprint is in a bundle."""
    plain = re.fullmatch("[0-9a-f]{64}", thumbprint)
    return f"certificates/{thumbprint if plain else safe_name(thumbprint)}.pem"


def part_files(part: Part) -> Files:
    """Give the exact bytes of a part; of an envelope, or of what signs a body, also the parts, decoded."""
    if part.text.body:
        yield f"{part.name}.json", part.text.body
    if part.text.signature:
        yield f"{part.name}.jws", part.text.signature.encode()
    opened = part.judged.opened if part.judged else None
    if opened is not None and (is_enveloped(part) or is_detached(part)):
        yield f"{part.name}.header.json", opened.header_bytes
        if is_enveloped(part):
            yield f"{part.name}.payload.json", opened.payload
        yield f"{part.name}.signature", opened.signature


def is_enveloped(part: Part) -> bool:
    """Tell whether a part is an envelope that could be taken apart."""
    opened = part.judged.opened if part.judged else None
    return isinstance(opened, OpenedEnvelope) and bool(opened.header_bytes and opened.payload and opened.signature)


def is_detached(part: Part) -> bool:
    """Tell whether what signs a part stands beside it and could be read."""
    return bool(part.text.signature and part.judged and part.judged.opened.signature)


def key_files(key: KeyHistory) -> Files:
    """Give a public key as openssl reads it; one that is none, as it stands in the register."""
    verifier = usable_key(key)
    yield key_file(key.kid), (verifier.to_pem() if verifier else key.pem).encode()


def certificate_files(certificate: CertificateHistory) -> Files:
    """Give a certificate in PEM."""
    yield certificate_file(certificate.thumbprint), certificate.pem.encode()


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
