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
    title = (
        f"before: recorded earlier, of commit {before.commit}, on a {before.machine}; "
        f"now: this run, of {now.commit}, on a {now.machine}. Times are those until another client has its answer."
    )
    table = Table(
        "attack", "what other clients notice", "before", "now", title=title, title_style="", title_justify="left"
    )
    for attack, figures in now.figures.items():
        earlier = before.figures.get(attack, {})
        first = descriptions[attack]
        for figure in dict.fromkeys([*earlier, *figures]):
            table.add_row(first, figure, earlier.get(figure, "-"), figures.get(figure, "-"))
            first = ""
        table.add_section()
    return table
