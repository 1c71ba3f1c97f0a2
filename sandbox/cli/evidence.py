"""`evidence`: what travelled under a requestId, as a file that anybody can verify later with openssl."""

import hashlib
import json
import os
from io import BytesIO
from pathlib import Path
from typing import Annotated
from zipfile import BadZipFile, ZipFile

import typer
from rich.text import Text

from sandbox.cli.options import DATA_DIR, DataDir, node_option
from sandbox.cli.screen import FAILED, NOT_JUDGED, PASSED, say, shown
from sandbox.errors import SandboxError
from sandbox.following import Record
from sandbox.holders import chosen_nodes
from sandbox.running import connected
from sandbox.settings import Folders, NodeName

_MARKS = {"holds": (PASSED, "green"), "does not hold": (FAILED, "bold red")}


def evidence(
    *,
    request_id: Annotated[str, typer.Argument(help="The request; `messages` lists them.")],
    out: Annotated[Path, typer.Option(help="The zip file to write; it must not be there.")] = Path("evidence.zip"),
    at: Annotated[
        NodeName | None, node_option("--at", text="The node whose journal it is.", default="who has it")
    ] = None,
    data_dir: DataDir = DATA_DIR,
) -> int:
    """Write the evidence of a request to a zip file.

    In it are the exact signed bytes of request, callback and their acks, the
    keys and certificates of then, a verdict on each part, and verify.sh, which
    verifies all of it offline with openssl alone. What the node only states,
    and nobody has signed, stands apart. Exit status 0: all that is signed
    holds; 1: something does not, which the file says too.

    [cyan]ocen-sandbox evidence REQUEST_ID --out evidence.zip --at lender[/cyan]
    [cyan]unzip evidence.zip -d evidence; sh evidence/verify.sh[/cyan]
    """
    with connected(Folders(data_dir)) as pair:
        asked = ((name, ops.evidence(request_id)) for name, ops in chosen_nodes(pair, at).items())
        node, bundle = next(((name, found) for name, found in asked if found is not None), (None, b""))
    if node is None:
        raise SandboxError(
            f"nothing was accepted or sent under {request_id}: list messages with `ocen-sandbox messages`"
        )
    manifest = _manifest(bundle)
    _write(out, bundle)
    _print_parts(manifest["parts"])
    digest = hashlib.sha256(bundle).hexdigest()
    say(f"\n{shown(out)} has it as the {node.kind} {manifest['journal_of']} does, sha256 {digest}")
    if not manifest["holds"]:
        say(Text(f"{FAILED} Not all of it holds: something has been changed.", style="bold red"))
    return 0 if manifest["holds"] else 1


def _write(out: Path, bundle: bytes) -> None:
    try:
        # For this user alone: an OTP, and a borrower's data, may be in it.
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(bundle)
    except FileExistsError as error:
        raise SandboxError(f"{out} is there already: name another file with --out") from error


def _manifest(bundle: bytes) -> Record:
    try:
        with ZipFile(BytesIO(bundle)) as archive:
            manifest: Record = json.loads(archive.read("manifest.json"))
    except (BadZipFile, KeyError, ValueError) as error:
        raise SandboxError(
            "the node's answer is no evidence: is it of this version? See `ocen-sandbox status`"
        ) from error
    return manifest


def _print_parts(parts: list[Record]) -> None:
    for part in parts:
        mark, style = _MARKS.get(part["verdict"], (NOT_JUDGED, "dim"))
        line = Text(f"{mark} ", style=style).append(part["name"], style="bold").append(f"  {part['what']}", "default")
        say(line.append(f"  {part['note']}", style="dim") if part["note"] else line)
        for error in part["flaws"]:
            say(Text(f"    {error}", style="red"))
