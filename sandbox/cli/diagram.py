"""Messages between two parties as a sequence diagram: two lifelines, arrows between them, times at the right edge."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

_MARGIN = 2
_TIME_WIDTH = 10


class SequenceDiagram:
    """Draws as it goes: each call prints. The first party stands at the left."""

    def __init__(self, console: Console, left: str, right: str) -> None:
        """Draw between the parties `left` and `right`, as wide as the console is."""
        self._console = console
        self._left = left
        self._inner = max(console.width - _MARGIN - _TIME_WIDTH - 2, 40)
        gap = self._inner + 2 - len(left) - len(right)
        self._print(Text(left, style="bold cyan").append(" " * gap).append(right, style="bold cyan"))

    @property
    def room(self) -> int:
        """Columns for a text between the lifelines."""
        return self._inner - 2

    def text(self, text: Text, *, at: str | None = None, hang: int = 0) -> None:
        """Write between the lifelines, beside the right one if `at` is the party there.

        Lines after the first are indented by `hang`.
        """
        for number, line in enumerate(text.wrap(self._console, self.room - hang)):
            line.rstrip()
            line.pad_left(hang if number else 0)
            pad = self.room - line.cell_len
            before = pad if at not in (None, self._left) else 0
            row = Text("│ ").append(" " * before).append_text(line).append(" " * (pad - before)).append(" │")
            self._print(row)

    def arrow(self, sender: str, label: Text, milliseconds: float | None = None) -> None:
        """Draw an arrow from `sender` to the other party, with its label in it."""
        to_right = sender == self._left
        head, tail = ("─▶│", "├─") if to_right else ("─┤", "│◀─")
        line = "─" * max(self._inner - label.cell_len - (5 if label else 3), 1)
        row = Text(tail, style="bold")
        if to_right:
            row.append(" ").append_text(label).append(" ").append(line, style="bold")
        else:
            row.append(line, style="bold").append(" ").append_text(label).append(" ")
        row.append(head, style="bold")
        if milliseconds is not None:
            row.append(f"{milliseconds:6.0f} ms", style="dim")
        self._print(row)

    def gap(self) -> None:
        """Draw an empty row: time passes."""
        self._print(Text("│").append(" " * self._inner).append("│"))

    def _print(self, row: Text) -> None:
        self._console.print(Text(" " * _MARGIN).append_text(row), no_wrap=True, overflow="ignore", crop=False)


def leaves(content: Mapping[str, Any], told: Collection[str] | None = None) -> Text:
    """Write names and values of a payload's innermost members, without metadata and requestId.

    With `told`, only members of these names.
    """
    text = Text()
    for name, value in _walk({k: v for k, v in content.items() if k not in ("metadata", "requestId")}):
        if told is not None and name not in told:
            continue
        text.append(", " if text else "").append(f"{name} ", style="dim").append(value)
    return text


def _walk(members: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in members.items():
        if isinstance(value, Mapping):
            yield from _walk(value)
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            for item in value:
                yield from _walk(item if isinstance(item, Mapping) else {name: item})
        elif isinstance(value, list):
            yield name, " ".join(str(item) for item in value)
        elif value is not None and name != "type":
            yield name, str(value)
