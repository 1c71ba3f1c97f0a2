"""What a bundle says of itself: the manifest for programs, README.txt for people, parts.txt for verify.sh."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.node.evidence.files import certificate_file, is_detached, is_enveloped, key_file, quotation
from shared.node.evidence.gathering import Evidence
from shared.node.evidence.parts import Part, Verdict
from shared.node.send.outbox import storable
from shared.protocol.encoding import format_timestamp
from shared.protocol.opened import OpenedEnvelope
from shared.protocol.profiles import Judged
from shared.protocol.verification import Outcome

Document = dict[str, Any]

_LONGEST_LINE: Final = 1000

_README: Final = """\
EVIDENCE of requestId {request_id}
as the node of {own_id} has it in its journal.

{verdict}

{parts}

How to verify it
  sh verify.sh
It needs a POSIX shell and openssl, nothing else and no network. It checks every signature over the exact bytes with
the public key in keys/, that the acks name the traceId of their messages, {also_checked}and the files' sums; it
prints a line per part and exits with 0 only if all hold. It is short: read it before you trust it.

What is here
  N-request.json, N-callback.json   a message exactly as it travelled: in v3 a flattened JWS (RFC 7515), in OCEN 4.0
                                    the body that ...jws signs
  ....jws                           the detached signature from the HTTP header (RFC 7515 App. F, RFC 7797)
  ...-ack.json                      the signed ack that answered it
  ...-try-N.json                    a further try to deliver it, whether it came through or not
  ....header.json, .payload.json, .signature   the decoded parts of that envelope
  {folders}
  manifest.json                     who, when, by which key and certificate, every check that was made again,
                                    and since when each key and certificate counted
  steps.json                        the checks as they were recorded when the text came in
  parts.txt, SHA256SUMS             what verify.sh reads

What it proves, and what it does not
  A signature proves that whoever had the private key has signed these very bytes. Whose key it was, when it counted,
  when a text came in and over which certificate is what the node has written down; nobody has signed that.
  A key that was blocked or retired afterwards still proves what was signed while it counted: see manifest.json.
  Access tokens are secrets and are not kept. Of OCEN 4.0's participants there are the keys that the registry named, and
  since when; of their TLS certificates no more than the thumbprint, in manifest.json.
  The receiver keeps a repeated message as it came the first time; the sender keeps every try.
  Messages that the node refused are not here. No private key is here. The SMS with the OTP is no message of the
  protocol and is not here either; but a VerifyLoanAcceptanceRequest holds the OTP as it was sent, and as evidence it
  has to: keep this bundle as you keep the borrower's other data.
"""


_KEYS: Final = "keys/                             the public keys of the participants that counted then"
_CERTIFICATES_TOO: Final = (
    "keys/, certificates/              the public keys and TLS certificates of the participants that counted then"
)


def manifest(evidence: Evidence, files: Mapping[str, bytes]) -> Document:
    """Return what a program needs: who, when, which part is what, verdicts, the life of keys, SHA-256 of each file."""
    return {
        "evidence_of": evidence.request_id,
        "journal_of": evidence.own_id,
        "holds": evidence.holds,
        "parts": [_part(part) for part in evidence.parts],
        "keys": [
            {
                "kid": key.kid,
                "organisation_id": holder,
                "file": key_file(key.kid),
                "algorithm": key.algorithm,
                "thumbprint": key.thumbprint,
                "events": [
                    {"at": format_timestamp(event.at), "status": event.status, "reason": event.reason}
                    for event in key.events
                ],
            }
            for holder, key in evidence.keys
        ],
        "certificates": [
            {
                "organisation_id": holder,
                "sha256": one.thumbprint,
                "file": certificate_file(one.thumbprint),
                "registered_at": format_timestamp(one.registered_at),
                "removed_at": format_timestamp(one.removed_at) if one.removed_at else None,
                "removed_because": one.removed_because,
            }
            for holder, one in evidence.certificates
        ],
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }


def readme(evidence: Evidence) -> str:
    """Write README.txt: what this is, the verdict on each part, how to verify it, and what it proves."""
    verdict = "Everything in it holds." if evidence.holds else "NOT EVERYTHING IN IT HOLDS. Something has been changed:"
    return _README.format(
        request_id=one_line(evidence.request_id),
        own_id=evidence.own_id,
        verdict=verdict,
        also_checked="the certificates, " if evidence.certificates else "",
        folders=_CERTIFICATES_TOO if evidence.certificates else _KEYS,
        parts="\n".join(line for part in evidence.parts for line in _described(part)),
    )


def script_lines(evidence: Evidence) -> str:
    """Write parts.txt: a word and its text on each line, in the order in which verify.sh goes through them."""
    known = {key.kid for _, key in evidence.keys}
    registered = {one.thumbprint for _, one in evidence.certificates}
    return "".join(f"{line}\n" for part in evidence.parts for line in _script(part, known, registered))


def one_line(text: str) -> str:
    """Make a text printable and short: it may be a stranger's, or that of whoever has spoiled a row."""
    return storable(text)[:_LONGEST_LINE]


def _script(part: Part, known: set[str], registered: set[str]) -> Iterator[str]:
    if part.verdict is Verdict.NOTHING:
        yield f"note {part.name}: {one_line(part.what)}: {one_line(part.note)}"
        return
    yield f"part {part.name}"
    judged, is_envelope = part.judged, is_enveloped(part)
    if judged is not None and (is_envelope or is_detached(part)):
        if part.kid in known:
            yield f"{_signing_word(judged)} {key_file(part.kid)}"
            if judged.opened.kid:
                yield f"header {quotation(judged.opened.header_bytes, 'kid', part.kid)}"
        word = "payload" if is_envelope else "body"
        yield from (f"{word} {quotation(judged.opened.payload, *quote)}" for quote in part.quotes if quote[1])
    if part.text.peer is not None and part.text.peer.certificate in registered:
        yield f"certificate {certificate_file(part.text.peer.certificate)} {part.text.peer.certificate}"
    yield from (f"found {one_line(flaw)}" for flaw in part.flaws)
    yield f"end {one_line(part.what)}"


def _signing_word(judged: Judged) -> str:
    """Say how verify.sh has to put together what is signed."""
    if isinstance(judged.opened, OpenedEnvelope):
        return "key"
    return "beside" if judged.opened.header.get("b64") is False else "beside-base64"


def _described(part: Part) -> Iterator[str]:
    yield f"{part.name}: {one_line(part.what)}"
    status = f", {part.key_status} then" if part.key_status else ""
    signed = f", signed by {part.text.signer} with {one_line(part.kid)}{status}" if part.kid else ""
    yield f"    {format_timestamp(part.text.at)}{signed}"
    yield f"    {part.verdict}{f': {one_line(part.note)}' if part.note else ''}"
    yield from (f"    - {one_line(flaw)}" for flaw in part.flaws)


def _part(part: Part) -> Document:
    steps = part.judged.verification.steps if part.judged else ()
    return {
        "name": part.name,
        "what": one_line(part.what),
        "signer": part.text.signer,
        "at": format_timestamp(part.text.at),
        "verdict": part.verdict,
        "flaws": [one_line(flaw) for flaw in part.flaws],
        "note": one_line(part.note),
        "accepted": part.is_accepted,
        "file": f"{part.name}.json" if part.text.body else None,
        "sha256": hashlib.sha256(part.text.body).hexdigest() if part.text.body else None,
        "kid": part.kid,
        "key_status_then": part.key_status,
        "certificate": part.text.peer.certificate if part.text.peer else None,
        "says": dict(part.quotes),
        "checks": [step.as_dict() for step in steps if step.outcome is not Outcome.NOT_JUDGED],
    }
