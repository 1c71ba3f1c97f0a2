"""`clock`: show the business time of all nodes, or set it forward."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from pydantic import BaseModel
from rich.text import Text

from sandbox.cli.options import DATA_DIR, DataDir
from sandbox.cli.screen import listing, say
from sandbox.errors import SandboxError
from sandbox.ops_client import OpsClient
from sandbox.running import clients_of, nodes_alive, run_of
from sandbox.settings import Folders, NodeName
from shared.node.ids import new_id
from shared.protocol.encoding import EncodingError, parse_timestamp

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_STEP: Final = re.compile(r"\+(\d{1,5})([smhdw])", re.ASCII)
_INDIA: Final = timedelta(hours=5, minutes=30)

WORK_SECONDS: Final = 60.0
"""Seconds to wait at most until a node has done what the new time makes due."""


class Setting(BaseModel):
    """A setting of business time for every node, and the command that asked for it."""

    id: str
    words: str
    offset_seconds: int


def clock(
    *,
    by: Annotated[str | None, typer.Argument(metavar="+31d", help="Go forward by +N and s, m, h, d or w.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Go forward to 2031-03-04T10:00:00Z.")] = None,
    data_dir: DataDir = DATA_DIR,
) -> int:
    """Show business time, or set it forward on every node.

    Offers expire and instalments fall due by business time; signatures,
    tokens and OTPs never do. It only goes forward. If a node does not run,
    start it and repeat the same command: no node is moved twice.

    [cyan]ocen-sandbox clock[/cyan]
    [cyan]ocen-sandbox clock +31d[/cyan]
    [cyan]ocen-sandbox clock --to 2031-03-04T10:00:00Z[/cyan]
    """
    folders = Folders(data_dir)
    run, alive = run_of(folders), nodes_alive(folders, run_of(folders))
    down = [name.label for name in run.nodes if name is not NodeName.REGISTRY and name not in alive]
    with clients_of(folders, alive) as nodes:
        if not nodes:
            raise SandboxError(f"no node runs: `ocen-sandbox down`, then `{run.command}`")
        if by or to:
            _set(folders, nodes, _wanted(folders, nodes, by, to), is_complete=not down)
        _print(nodes)
    if down:
        again = f"start it and repeat `ocen-sandbox clock {by or f'--to {to}'}`" if by or to else f"see `{run.command}`"
        say(f"Not reached: the {listing(down)}; {again}.", style="yellow")
    return 1 if down else 0


def _wanted(folders: Folders, nodes: Mapping[NodeName, OpsClient], by: str | None, to: str | None) -> Setting:
    """Return the setting asked for; the former one, if it is repeated because a node had not taken it."""
    words = f"clock {by or f'--to {to}'}"
    unfinished = _unfinished(folders)
    if unfinished is not None and unfinished.words == words:
        return unfinished
    known = [ops.clocks() for ops in nodes.values()]
    furthest = max(int(clocks["offset_seconds"]) for clocks in known)
    if to is not None:
        ahead = _moment(to) - datetime.fromisoformat(known[0]["protocol_time"])
        return Setting(id=new_id(), words=words, offset_seconds=_forward(round(ahead.total_seconds()), furthest))
    if unfinished is not None:
        raise SandboxError(f"not every node has taken `ocen-sandbox {unfinished.words}` yet: repeat that one first")
    step = _STEP.fullmatch(by or "")
    if step is None:
        raise SandboxError(f"{by} is no step of time: write +31d, or s, m, h or w in place of d")
    return Setting(id=new_id(), words=words, offset_seconds=furthest + int(step[1]) * _UNITS[step[2]])


def _set(folders: Folders, nodes: Mapping[NodeName, OpsClient], setting: Setting, *, is_complete: bool) -> None:
    folders.clock_file.write_text(setting.model_dump_json(), "utf-8")
    for ops in nodes.values():
        ops.set_clock(setting.id, setting.offset_seconds)
    for name, ops in nodes.items():
        if ops.wait_for(lambda ops: ops.clocks()["due"] == 0 or None, WORK_SECONDS) is None:
            say(f"The {name.label} still works off what has fallen due; look again with `ocen-sandbox clock`.")
    if is_complete:
        folders.clock_file.unlink()


def _unfinished(folders: Folders) -> Setting | None:
    try:
        return Setting.model_validate_json(folders.clock_file.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise SandboxError(f"{folders.clock_file} is not what ocen-sandbox wrote: delete it") from error


def _moment(text: str) -> datetime:
    try:
        return parse_timestamp(text)
    except EncodingError as error:
        raise SandboxError(f"--to {text}: {error}; write it as 2031-03-04T10:00:00Z") from error


def _forward(seconds: int, furthest: int) -> int:
    if seconds < furthest:
        raise SandboxError("business time is later than that already, and it only goes forward")
    return seconds


def _print(nodes: Mapping[NodeName, OpsClient]) -> None:
    for name, ops in nodes.items():
        clocks = ops.clocks()
        business = datetime.fromisoformat(clocks["business_time"]).astimezone(UTC)
        line = Text(f"{name.label:<8}", "bold cyan").append(f"{business + _INDIA:%a %d %b %Y %H:%M} IST", "default")
        line.append(f"   {_ahead(clocks)}", "dim")
        say(line)


def _ahead(clocks: Mapping[str, Any]) -> str:
    ahead = str(timedelta(seconds=clocks["offset_seconds"])).removesuffix(", 0:00:00")
    working = f", {clocks['due']} timers still due" if clocks["due"] else ""
    return (f"{ahead} ahead of real time" if clocks["offset_seconds"] else "real time") + working
