"""Attack a throw-away pair on loopback, and print what a good client sees meanwhile, before and now.

Started by `make attack`. Each attack has a pair of its own, of this checkout or of another one that is installed.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from sandbox.supervisor import interrupted_by_signals
from tests.attack import bodies, callbacks, connections, handshakes, storage
from tests.attack.report import Figures, Measurements, compare, load, save
from tests.attack.victim import Victim, make_keys, victim_of

ROOT = Path(__file__).parents[2]
BEFORE = Path(__file__).with_name("before.json")
SHORT_SECONDS, LONG_SECONDS = 30.0, 45.0

Attack = Callable[[Victim, float], Figures]
"""Attacks a pair; the seconds are those of the attack that goes on for longer if wanted."""

ATTACKS: tuple[Attack, ...] = (
    handshakes.finite_field_groups,
    handshakes.silent_connections,
    handshakes.half_handshakes,
    handshakes.stream_of_silent_connections,
    connections.connections_of_one_certificate,
    connections.idle_connection,
    connections.resets,
    bodies.many_numbers,
    bodies.large_signed_bodies,
    bodies.long_head,
    callbacks.oversized_answers,
    callbacks.large_json_answers,
    storage.readiness_while_locked,
    storage.messages_of_one_peer,
    storage.purge_of_nonces,
)


def name_of(attack: Attack) -> str:
    """Return the name that --only and the files know an attack by."""
    return attack.__name__.replace("_", "-")


def main() -> int:
    """Run the attacks and print the table; return the exit status."""
    options = _options()
    console = Console()
    chosen = {name_of(one): one for one in ATTACKS if options.only in name_of(one)}
    if not chosen:
        console.print(f"no attack has {options.only!r} in its name; there are: {', '.join(map(name_of, ATTACKS))}")
        return 2
    commit, figures, status = _commit(options.checkout), dict[str, Figures](), 0
    try:
        with interrupted_by_signals(), TemporaryDirectory(prefix="attack-") as temporary:
            certs = make_keys(Path(temporary))
            for name, attack in chosen.items():
                console.print(f"{name} ...", highlight=False)
                folder = Path(temporary) / name
                folder.mkdir()
                with victim_of(options.checkout.absolute(), certs, folder) as victim:
                    figures[name] = _measured(attack, victim, LONG_SECONDS if options.long else SHORT_SECONDS)
    except KeyboardInterrupt:
        console.print("Interrupted; the attacked pair has been ended.")
        status = 130
    now = Measurements(commit, f"machine with {os.cpu_count()} cores", figures)
    if options.save:
        save(now, options.save)
    console.print(compare(load(BEFORE), now, _descriptions()))
    return status


def _measured(attack: Attack, victim: Victim, seconds: float) -> Figures:
    try:
        return attack(victim, seconds)
    except Exception as error:  # of a node that does not even take the attack; the other attacks go on
        return {"the attack failed": f"{type(error).__name__}: {error}"}


def _descriptions() -> Mapping[str, str]:
    return {name_of(one): (one.__doc__ or "").strip() for one in ATTACKS}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help=f"of these: {', '.join(map(name_of, ATTACKS))}")
    longer = f"new silent connections for {LONG_SECONDS:.0f} s instead of {SHORT_SECONDS:.0f}"
    parser.add_argument("--long", action="store_true", help=longer)
    parser.add_argument("--checkout", type=Path, default=ROOT, metavar="DIR", help="attack the code installed there")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the figures as JSON")
    return parser.parse_args()


def _commit(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip() or "an unknown commit"


if __name__ == "__main__":
    sys.exit(main())
