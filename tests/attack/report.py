"""What the attacks have measured: kept in a file, and shown beside what an earlier commit did."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from rich.table import Table

Figures: TypeAlias = Mapping[str, str]
"""What one attack has measured: what it is, and the value as people read it."""


@dataclass(frozen=True)
class Measurements:
    """The figures of a run, by attack, and where it was: the commit, and what kind of machine."""

    commit: str
    machine: str
    figures: Mapping[str, Figures]


def save(measurements: Measurements, file: Path) -> None:
    """Write a run into a JSON file."""
    file.write_text(json.dumps(asdict(measurements), indent=2, ensure_ascii=False) + "\n", "utf-8")


def load(file: Path) -> Measurements:
    """Read a run from a JSON file."""
    return Measurements(**json.loads(file.read_text("utf-8")))


def compare(before: Measurements, now: Measurements, descriptions: Mapping[str, str]) -> Table:
    """Make the table of a run beside an earlier one; a figure that one of them does not have is a dash."""
    caption = f"before: {before.commit}, {before.machine}; now: {now.commit}, {now.machine}"
    table = Table("attack", "measured", f"before ({before.commit})", "now", caption=caption, show_lines=True)
    for attack, figures in now.figures.items():
        earlier = before.figures.get(attack, {})
        measured = list(dict.fromkeys([*earlier, *figures]))
        columns = (measured, [earlier.get(one, "-") for one in measured], [figures.get(one, "-") for one in measured])
        table.add_row(descriptions[attack], *("\n".join(column) for column in columns))
    return table
