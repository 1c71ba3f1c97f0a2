"""Attacks of a participant, who has a certificate and a key: requests that cost the node more than their sender."""

import contextlib
import http.client
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.attack.good_client import GoodClient
from tests.attack.victim import ATTACKER, Victim
from tests.attack.wire import answered_with, ask, connect_tls, post
from tests.live.letters import TRIGGER, path_of

MIB = 2**20
REFUSALS = 4


def many_numbers(victim: Victim, _: float) -> Mapping[str, str]:
    """1 MiB of [1.0,1.0,...], not signed, 4 times."""
    numbers = b'{"a":[' + b"1.0," * ((MIB - 40) // 4) + b"1.0]}"
    return _cost(victim, [post(path_of(TRIGGER), numbers)] * REFUSALS)


def long_head(victim: Victim, _: float) -> Mapping[str, str]:
    """A request whose head has 160 KB, 4 times; the limit is 64 KiB."""
    padding = b"x: a\r\n" * (160_000 // 6)
    requests = [victim.message(ATTACKER) for _ in range(REFUSALS)]
    return _cost(victim, [one.replace(b"host:", padding + b"host:", 1) for one in requests])


def large_signed_bodies(victim: Victim, _: float) -> Mapping[str, str]:
    """48 plain signed bodies of 1 MiB on 16 connections, while another participant sends small messages."""
    remark = {f"member-{number:05d}": "a" * 19 for number in range(19_500)}  # just below the limits of size and members
    batches = [[victim.message(ATTACKER, remark=remark) for _ in range(3)] for _ in range(16)]
    good = GoodClient(victim)
    with good.calling(anew=False, pause=0.01), ThreadPoolExecutor(16) as attackers:
        for batch in batches:
            attackers.submit(_send_all, victim, batch)
    return {"ack of another participant, p99": good.percentile_99(), "longest": good.longest}


def _cost(victim: Victim, requests: Sequence[bytes]) -> Mapping[str, str]:
    """Send requests, each over a connection of its own; what comes of them, and the CPU time that one costs."""
    tls, outcomes = victim.tls(ATTACKER), []
    began = victim.cpu_seconds()
    for request in requests:
        with connect_tls(victim.address, tls) as connection:
            outcomes.append(answered_with(lambda request=request: ask(connection, request)))  # type: ignore[misc]
    each = (victim.cpu_seconds() - began) / len(requests)
    return {"CPU time of the node for each": f"{each:.2f} s", "what comes of it": ", ".join(sorted(set(outcomes)))}


def _send_all(victim: Victim, requests: Sequence[bytes]) -> None:
    with (
        contextlib.suppress(OSError, http.client.HTTPException),
        connect_tls(victim.address, victim.tls(ATTACKER)) as connection,
    ):
        for request in requests:
            ask(connection, request)
