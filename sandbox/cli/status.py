"""`status`: whether the pair runs, and where."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from sandbox.cli.options import DATA_DIR, DataDir
from sandbox.cli.screen import columns, say, shown
from sandbox.running import Run, nodes_alive, operator_plane, read_run
from sandbox.settings import Folders, NodeName

_STATES: Mapping[bool | None, tuple[str, str]] = {True: ("ready", "green"), False: ("not ready", "yellow")}


def status(data_dir: DataDir = DATA_DIR) -> int:
    """Tell whether the pair runs, and where.

    Exit status 0: all that was started is ready; 1: it is not.
    """
    folders = Folders(data_dir)
    run = read_run(folders)
    alive = nodes_alive(folders, run)
    if run is None or not alive:
        say(f"Nothing runs in {shown(data_dir)}; start the pair with: ocen-sandbox up")
        return 1
    obstacles = {}
    for name, node in alive.items():
        with operator_plane(folders, name, node) as ops:
            obstacles[name] = ops.obstacle()
    _print_status(run, {name: obstacle is None for name, obstacle in obstacles.items()})
    for name, obstacle in obstacles.items():
        if obstacle is not None:
            say(f"{name.label}: {obstacle}; see {shown(run.nodes[name].log)}", style="yellow")
    return 0 if len(obstacles) == len(run.nodes) and not any(obstacles.values()) else 1


def _print_status(run: Run, ready: Mapping[NodeName, bool]) -> None:
    rows: list[Sequence[str | Text]] = [
        [Text(title, "dim") for title in ("node", "org", "state", "base URL", "ops plane", "pid")]
    ]
    for name, node in run.nodes.items():
        state, pid = Text(*_STATES.get(ready.get(name), ("not running", "red"))), str(node.pid) if name in ready else ""
        rows.append((name.short, node.organisation_id, state, node.url, node.ops_url, pid))
    say(columns(rows))
    how = "in the background" if run.supervisor is None else f"with process {run.supervisor}"
    say(f"since {run.started_at:%Y-%m-%d %H:%M:%S} UTC, {how}", style="dim")
