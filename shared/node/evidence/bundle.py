"""The bundle: the evidence as one zip file. The same journal and register give the same bytes, whenever it is made."""

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files as resources
from io import BytesIO
from typing import Any, Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from sqlalchemy import Connection

from shared.node.evidence.files import certificate_files, key_files, part_files
from shared.node.evidence.gathering import Evidence, gather
from shared.node.evidence.rendering import manifest, readme, script_lines

MANIFEST: Final = "manifest.json"
SCRIPT: Final = "verify.sh"

_FIXED_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip file can say; what counts is when the messages travelled, and manifest.json says that."""


def evidence_bundle(connection: Connection, request_id: str, own_ids: Mapping[str, str]) -> bytes | None:
    """Return the evidence of a requestId as a node has it, as a zip file; None if nothing is known.

    `own_ids` says by which id the node is known under each profile.

    The connection is in a transaction that reads. What does not hold is in the bundle too, and the bundle says so.
    """
    evidence = gather(connection, request_id, own_ids)
    return None if evidence is None else _zipped(_files(evidence))


def _files(evidence: Evidence) -> dict[str, bytes]:
    files = {name: content for part in evidence.parts for name, content in part_files(part)}
    files |= {name: content for _, key in evidence.keys for name, content in key_files(key)}
    files |= {name: content for _, one in evidence.certificates for name, content in certificate_files(one)}
    files["steps.json"] = _json({part.name: part.recorded for part in evidence.parts})
    files["parts.txt"] = script_lines(evidence).encode()
    files["README.txt"] = readme(evidence).encode()
    files[SCRIPT] = resources(__package__).joinpath(SCRIPT).read_bytes()
    files[MANIFEST] = _json(manifest(evidence, files))
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return files | {"SHA256SUMS": "".join(sums).encode()}


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
