"""The screen: what strangers have written is shown, and does nothing to the terminal."""

import pytest
from rich.table import Table
from rich.text import Text

from sandbox.cli.screen import columns, facts, say, screen


@pytest.mark.parametrize("command", ["\x1b[31m", "\x9b31m", "\x1b]0;title\x07", "\u202e", "\u2028", "\x7f"])
def test_a_strangers_text_commands_nothing(capsys: pytest.CaptureFixture[str], command: str) -> None:
    table = Table("name")
    table.add_row(f"d{command}")
    say(f"a{command}")
    say(Text(f"b{command}"))
    say(facts([("subject", f"c{command}")]))
    screen().print(table)
    shown = capsys.readouterr().out
    assert not set(command) & set("\x1b\x9b\x07\u202e\u2028\x7f") & set(shown)
    assert all(f"{letter}?" in shown for letter in "abd")


def test_letters_of_any_script_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    say("\u0915\u094d\u200d\u0937 ऋण \u00a0✓")
    assert capsys.readouterr().out == "\u0915\u094d\u200d\u0937 ऋण \u00a0✓\n"


def test_columns_are_wide_enough_for_all_and_no_cell_is_cut_or_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    say(
        columns(
            [("a", Text("bb", "red"), "c"), ("aaaa", "", f"https://{'long' * 9}.example:8444"), ("a", "b", "")], (6,)
        )
    )
    assert capsys.readouterr().out.splitlines() == [
        "a       bb  c",
        f"aaaa        https://{'long' * 9}.example:8444",
        "a       b",
    ]
    say(columns([("a", "b")], indent=2))
    assert capsys.readouterr().out == "  a  b\n"
    assert columns([]).plain == ""
