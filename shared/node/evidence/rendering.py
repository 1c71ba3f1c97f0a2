"""The files of a bundle: what travelled, the manifest for programs, README.txt for people, parts.txt for verify.sh."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files as resources
from typing import Any, Final

from shared.node.evidence.gathering import Part, Verdict
from shared.node.evidence.stated import Rows
from shared.node.send.outbox import storable
from shared.protocol.encoding import format_timestamp
from shared.protocol.envelope import OpenedEnvelope
from shared.protocol.signing import VerificationKey
from shared.protocol.verification import Outcome

BUNDLE_VERSION: Final = 2
"""Version 1 had no such member, and mixed what is stated with what is proved; its own verify.sh verifies it on."""

_LONGEST_LINE: Final = 1000

_QUOTED: Final = rb'"%s"[ \t]*:[ \t]*"(?:[^"\\]|\\.)*"'


def certificate_file(sha256: str) -> str:
    """Return where the certificate with that thumbprint is in a bundle."""
    return f"certificates/{sha256}.pem"


def part_files(part: Part) -> Iterator[tuple[str, bytes]]:
    """Give the exact bytes of a part, what is signed of it, decoded, where it can be taken apart, and its key."""
    if part.text.body:
        yield f"{part.name}.json", part.text.body
    if part.text.signature:
        yield f"{part.name}.jws", part.text.signature.encode()
    word = _signing_word(part)
    if part.judged is not None and word:
        opened = part.judged.opened
        yield f"{part.name}.header.json", opened.header_bytes
        if word == "key":
            yield f"{part.name}.payload.json", opened.payload
        yield f"{part.name}.signature", opened.signature
    if part.key is not None:
        yield _key_file(part.key.verifier), part.key.verifier.to_pem().encode()


def manifest(request_id: str, own_id: str, parts: Sequence[Part], files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what a program needs: which part is what, each verdict with its checks, SHA-256 of each file."""
    return {
        "bundle": BUNDLE_VERSION,
        "evidence_of": request_id,
        "journal_of": own_id,
        "holds": _holds(parts),
        "parts": [_part(part) for part in parts],
        "stated_by_this_node": "stated.json",
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }


def readme(request_id: str, own_id: str, parts: Sequence[Part], rows: Rows) -> str:
    """Write README.txt: what this is, the verdict on each part, how to verify it, and what is stated only."""
    verdict = (
        "Every signed text in it holds." if _holds(parts) else "NOT EVERYTHING IN IT HOLDS: something was changed."
    )
    template = (resources(__package__) / "README.txt").read_text("utf-8")
    return template.format(
        request_id=_one_line(request_id),
        own_id=own_id,
        verdict=verdict,
        parts="\n".join(line for part in parts for line in _described(part)),
        stated="\n".join(f"{table}: {_one_line(_said(row))}" for table, found in rows.items() for row in found),
    )


def script_lines(parts: Sequence[Part], certificates: Mapping[str, str]) -> str:
    """Write parts.txt: a word and its text on each line, in the order in which verify.sh goes through them."""
    return "".join(f"{line}\n" for part in parts for line in _script(part, certificates))


def _holds(parts: Sequence[Part]) -> bool:
    return all(part.verdict is not Verdict.FAILS for part in parts)


def _one_line(text: str) -> str:
    """Make a text printable and short: a stranger may have written it, or changed the row."""
    return storable(text)[:_LONGEST_LINE]


def _script(part: Part, certificates: Mapping[str, str]) -> Iterator[str]:
    if part.verdict is Verdict.NOTHING:
        yield f"note {part.name}: {_one_line(part.what)}: {_one_line(part.note)}"
        return
    yield f"part {part.name}"
    word = _signing_word(part)
    if word and part.judged is not None:
        opened = part.judged.opened
        if part.key is not None:
            yield f"{word} {_key_file(part.key.verifier)}"
            if opened.kid:
                yield f"header {_quotation(opened.header_bytes, 'kid', part.kid)}"
        where = "payload" if word == "key" else "body"
        yield from (f"{where} {_quotation(opened.payload, *member)}" for member in part.says if member[1])
    if part.text.peer is not None and part.text.peer.certificate in certificates:
        yield f"certificate {certificate_file(part.text.peer.certificate)} {part.text.peer.certificate}"
    yield from (f"found {_one_line(error)}" for error in part.errors)
    yield f"end {_one_line(part.what)}"


def _described(part: Part) -> Iterator[str]:
    yield f"{part.name}: {_one_line(part.what)}"
    if part.says:
        yield f"    says {_one_line(_said(dict(part.says)))}"
    if part.key:
        yield f"    signed with kid {_one_line(part.kid)}: {_key_file(part.key.verifier)}"
    accepted = ", accepted" if part.is_accepted else ""
    yield f"    {part.verdict}{accepted}{f': {_one_line(part.note)}' if part.note else ''}"
    yield from (f"    - {_one_line(error)}" for error in part.errors)


def _said(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value not in (None, ""))


def _part(part: Part) -> dict[str, Any]:
    steps = part.judged.verification.steps if part.judged else ()
    return {
        "name": part.name,
        "what": _one_line(part.what),
        "signer": part.text.signer,
        "verdict": part.verdict,
        "flaws": [_one_line(error) for error in part.errors],
        "note": _one_line(part.note),
        "accepted": part.is_accepted,
        "file": f"{part.name}.json" if part.text.body else None,
        "kid": part.kid,
        "key": _key_file(part.key.verifier) if part.key else None,
        "says": dict(part.says),
        "checks": [step.as_dict() for step in steps if step.outcome is not Outcome.NOT_JUDGED],
        "stated_by_this_node": {
            "at": format_timestamp(part.text.at),
            "key_status": part.key.status if part.key else None,
            "certificate": part.text.peer.certificate if part.text.peer else None,
        },
    }


def _key_file(key: VerificationKey) -> str:
    """Return where a key is in a bundle; it is called by what it is, for a kid is a stranger's text."""
    return f"keys/{hashlib.sha256(key.to_pem().encode()).hexdigest()}.pub.pem"


def _signing_word(part: Part) -> str:
    """Say in a word of parts.txt how what is signed is put together; empty where the text cannot be taken apart."""
    opened = part.judged.opened if part.judged else None
    if opened is None or not opened.signature:
        return ""
    if isinstance(opened, OpenedEnvelope):
        return "key" if opened.header_bytes and opened.payload else ""
    return "beside" if opened.header.get("b64") is False else "beside-base64"


def _quotation(text: bytes, member: str, value: str) -> str:
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
