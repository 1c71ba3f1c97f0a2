"""Bundles of evidence, unpacked and verified; and what somebody does who has the database."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from sqlalchemy import Engine, select, update

from shared.node.tables import METADATA
from tests.equipment.deadline import DEADLINE

OPENSSL = shutil.which("openssl")
SHELLS = [shell for shell in ("/bin/sh", "/bin/bash", "/bin/dash") if Path(shell).exists()]


@dataclass(frozen=True)
class Unpacked:
    """A bundle in a folder."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def readme(self) -> str:
        return (self.folder / "README.txt").read_text()

    @property
    def parts(self) -> dict[str, dict[str, Any]]:
        return {part["name"]: part for part in self.manifest["parts"]}

    @property
    def stated(self) -> dict[str, list[dict[str, Any]]]:
        stated: dict[str, list[dict[str, Any]]] = json.loads((self.folder / "stated.json").read_text())
        return stated

    @property
    def errors(self) -> str:
        return "\n".join(error for part in self.manifest["parts"] for error in part["flaws"])

    def verify(self, shell: str = "/bin/sh") -> subprocess.CompletedProcess[str]:
        """Run verify.sh where no program but openssl is to be found."""
        tools = self.folder.parent / f"{self.folder.name}-tools"
        tools.mkdir(exist_ok=True)
        if OPENSSL and not (tools / "openssl").exists():
            (tools / "openssl").symlink_to(OPENSSL)
        command, environment = [shell, self.folder / "verify.sh"], {"PATH": str(tools)}
        return subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=DEADLINE, env=environment, cwd=os.sep
        )


def unpack(bundle: bytes | None, folder: Path) -> Unpacked:
    """Unpack a bundle, as `unzip` does."""
    assert bundle is not None
    with ZipFile(BytesIO(bundle)) as archive:
        archive.extractall(folder)
    return Unpacked(folder, json.loads((folder / "manifest.json").read_text()))


def spoil(engine: Engine, column: str, change: Callable[[Any], Any], **where: Any) -> None:
    """Change a column, `table.column`, of those rows as somebody would who has the database."""
    table = METADATA.tables[column.partition(".")[0]]
    name = column.partition(".")[2]
    conditions = [table.c[member] == value for member, value in where.items()]
    with engine.begin() as connection:
        rows = connection.execute(select(table).where(*conditions)).all()
        assert rows
        for row in rows:
            this = [key == row._mapping[key] for key in table.primary_key.columns]
            connection.execute(update(table).where(*this).values({name: change(row._mapping[table.c[name]])}))


def delete(engine: Engine, table: str, **where: Any) -> None:
    """Delete those rows."""
    chosen = METADATA.tables[table]
    with engine.begin() as connection:
        done = connection.execute(chosen.delete().where(*(chosen.c[name] == value for name, value in where.items())))
        assert done.rowcount
