"""How the command line looks: widths, colours, marks; the same words on a terminal, in a pipe and in plain ASCII."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from sandbox.settings import DEFAULT_DATA_FOLDER

MAX_WIDTH = 120
PIPE_WIDTH = 100

PASSED, FAILED, NOT_REACHED, NOT_JUDGED = "✓", "✗", "·", "-"

MARKS: Mapping[str, tuple[str, str]] = {
    "passed": (PASSED, "green"),
    "failed": (FAILED, "bold red"),
    "not reached": (NOT_REACHED, "dim"),
    "not judged": (NOT_JUDGED, "dim"),
}
"""Mark and style of a check's outcome."""

_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class _Screen(Console):
    """A console that replaces terminal control codes and text direction marks, which untrusted text may hold."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """See `rich.console.Console.render`."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else _COMMANDS.sub("?", text), style, control)


def screen(*, stderr: bool = False) -> Console:
    """Return a console for standard output or standard error, at most `MAX_WIDTH` wide."""
    console = _Screen(highlight=False, stderr=stderr, emoji=False, markup=False)
    if console.is_terminal:
        console.width = min(console.width, MAX_WIDTH)
    elif "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def say(text: str | Text = "", style: str = "") -> None:
    """Print text on standard output; long lines are left to the terminal, so that what is copied is in one piece."""
    screen().print(text, style=style, soft_wrap=True)


def tell(sentence: str) -> None:
    """Print what the command is waiting for."""
    say(sentence, "dim")


def facts(rows: Iterable[tuple[str, str]], indent: int = 0) -> Text:
    """Lay out names and values in two columns; a value may have several lines."""
    lines = [
        (name if n == 0 else "", line) for name, value in rows for n, line in enumerate(value.splitlines() or [""])
    ]
    return columns([(Text(name, "dim"), Text(line)) for name, line in lines], indent=indent)


def columns(rows: Iterable[Sequence[str | Text]], widths: Sequence[int] = (), indent: int = 0) -> Text:
    """Lay out rows in columns, no cell cut or broken: long lines are left to the terminal.

    `widths` are what columns have at least, the first ones if there are fewer.
    """
    listed = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    filled = zip_longest(widths, *([cell.cell_len for cell in row] for row in listed), fillvalue=0)
    wide = [max(lengths) for lengths in filled]
    lines = []
    for row in listed:
        line = Text(" " * indent)
        for cell, width in zip(row, wide, strict=False):
            line.append_text(cell).append(" " * (width - cell.cell_len + 2))
        line.rstrip()
        lines.append(line)
    return Text("\n").join(lines)


def step_table(steps: Sequence[Mapping[str, str]]) -> Table:
    """Lay out verification steps: mark, name, what is checked and by which clause; what was found where one failed."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=1)
    grid.add_column(no_wrap=True)
    grid.add_column()
    for step in steps:
        mark, style = MARKS[step["outcome"]]
        muted = "" if step["outcome"] in ("passed", "failed") else "dim"
        text = Text(step["text"], style=muted).append(f" ({step['clause']})", style="dim")
        if step["outcome"] == "failed":
            text.append(f"\nexpected  {step['expected']}\nfound     {step['found']}", style="red")
        elif step["outcome"] == "not judged":
            text = Text(f"not judged: {step['found']}", style="dim")
        grid.add_row(Text(mark, style=style), Text(step["check"], style=style if muted == "" else muted), text)
    return grid


def step_names(steps: Sequence[Mapping[str, str]], width: int) -> Text:
    """Write the names of the checks that passed, as many on a line as fit."""
    lines = [Text()]
    for step in steps:
        if step["outcome"] != "passed":
            continue
        name = Text(PASSED, style="green").append(f" {step['check']}", style="dim")
        if lines[-1] and lines[-1].cell_len + 2 + name.cell_len > width:
            lines.append(Text())
        lines[-1].append("  " if lines[-1] else "").append_text(name)
    return Text("\n").join(lines)


def listing(names: Sequence[str]) -> str:
    """Join names as a sentence does: `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def shown(path: Path) -> str:
    """Write a path as short as it may be from the current folder."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path.absolute())


def data_option(folder: Path) -> str:
    """Return the --data-dir that a suggested command needs; nothing for the default folder."""
    return "" if folder == DEFAULT_DATA_FOLDER else f" --data-dir {shown(folder)}"
