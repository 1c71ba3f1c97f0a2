"""What the attacks stand on: they stay on this machine, and their figures are shown beside the earlier ones."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.attack.__main__ import ATTACKS, BEFORE, name_of
from tests.attack.report import Measurements, compare, load, save
from tests.attack.wire import NotLoopbackError, connect

EARLIER = Measurements("5c6ec92", "machine with 2 cores", {"resets": {"tracebacks": "21", "dropped": "yes"}})
NOW = Measurements("1234567", "machine with 8 cores", {"resets": {"tracebacks": "0", "answered": "no"}})


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "2001:db8::1", "::", "localhost", "bank.example"])
def test_a_target_outside_loopback_is_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.create_connection", lambda *_, **__: pytest.fail("a connection was tried"))
    with pytest.raises(NotLoopbackError, match="not a loopback address"):
        connect((host, 443))


def test_the_table_shows_each_figure_before_and_now_and_a_dash_for_what_was_not_measured() -> None:
    printed = StringIO()
    Console(width=160, file=printed).print(compare(EARLIER, NOW, {"resets": "20 resets."}))
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.getvalue().splitlines()]
    assert [line for line in lines if len(line) == 4] == [
        ["20 resets.", "tracebacks", "21", "0"],
        ["", "dropped", "yes", "-"],
        ["", "answered", "-", "no"],
    ]


def test_measurements_are_read_as_they_were_saved(tmp_path: Path) -> None:
    save(EARLIER, tmp_path / "figures.json")
    assert load(tmp_path / "figures.json") == EARLIER


def test_every_attack_has_figures_from_before() -> None:
    assert set(load(BEFORE).figures) == {name_of(attack) for attack in ATTACKS}
