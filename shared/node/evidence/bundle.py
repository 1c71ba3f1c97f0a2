"""The bundle: the evidence as one zip file. The same journal and register give the same bytes, whenever it is made."""

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files as resources
from io import BytesIO
from typing import Any, Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from sqlalchemy import Connection

from shared.node.evidence.gathering import gather
from shared.node.evidence.remembered import Remembered
from shared.node.evidence.rendering import certificate_file, manifest, part_files, readme, script_lines
from shared.node.evidence.stated import stated_rows
from shared.protocol.profiles import V3

SCRIPT: Final = "verify.sh"

_FIXED_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip file can say; what counts is when the messages travelled, and they say that."""


def evidence_bundle(connection: Connection, request_id: str, own_ids: Mapping[str, str]) -> bytes | None:
    """Return the evidence of a requestId as a node has it, as a zip file; None if nothing is known.

    `own_ids` says by which id the node is known under each profile.

    The connection is in a transaction that reads. What does not hold is in the bundle too, and the bundle says so.
    """
    register, own_id = Remembered(connection, own_ids), own_ids[V3.name]
    parts = gather(connection, request_id, own_ids, register)
    if not parts:
        return None
    shown = {(part.text, part.text.peer.certificate) for part in parts if part.text.peer}
    found = {sha256: register.certificate(text.profile, text.signer, sha256) for text, sha256 in shown}
    certificates = {sha256: pem for sha256, pem in found.items() if pem}
    rows = stated_rows(connection, request_id, {*own_ids.values(), *(part.text.signer for part in parts)})
    files = {name: content for part in parts for name, content in part_files(part)}
    files |= {certificate_file(sha256): pem.encode() for sha256, pem in certificates.items()}
    files["stated.json"] = _json(rows)
    files["parts.txt"] = script_lines(parts, certificates).encode()
    files["README.txt"] = readme(request_id, own_id, parts, rows).encode()
    files[SCRIPT] = resources(__package__).joinpath(SCRIPT).read_bytes()
    files["manifest.json"] = _json(manifest(request_id, own_id, parts, files))
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return _zipped(files | {"SHA256SUMS": "".join(sums).encode()})


def _json(document: Any) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def _zipped(files: dict[str, bytes]) -> bytes:
    """Pack without compression, whose bytes depend on who compresses."""
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            entry = ZipInfo(name, _FIXED_TIME)
            entry.create_system = 3  # Unix, wherever it is made
            entry.external_attr = (0o755 if name == SCRIPT else 0o644) << 16
            archive.writestr(entry, content)
    return packed.getvalue()
