"""What a node does when its database cannot be written, and when it has grown."""

import json
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta

from shared.protocol.nonces import moment_key
from tests.attack.good_client import GoodClient
from tests.attack.victim import ATTACKER, Victim
from tests.attack.wire import OURSELVES, Address, ask, connect
from tests.live.pair import LSP

ROWS = 200_000
NONCES = 600_000
UNTIL_TIDIED = 75.0
"""Seconds within which a node has deleted what is out of date: it does so every 60 s."""


def readiness_while_locked(victim: Victim, _: float) -> Mapping[str, str]:
    """Another process holds the write lock of the database."""
    with closing(sqlite3.connect(victim.database, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        time.sleep(3)
        with connect(_operator_plane(victim)) as connection:
            answer = ask(connection, _get("/ready"))
        database.execute("ROLLBACK")
    told = json.loads(answer.body)
    return {"/ready after 3 s": f"{answer.status} {told.get('reason', '')}".strip()}


def messages_of_one_peer(victim: Victim, _: float) -> Mapping[str, str]:
    """`GET /messages?peer=` of a peer with one message, among 200,000 of another."""
    good = GoodClient(victim)
    good.try_anew()
    with closing(sqlite3.connect(victim.database, isolation_level=None)) as database:
        _copy_of_the_message(database, ROWS)
    pages: list[float] = []
    before = ""
    with connect(_operator_plane(victim)) as connection:
        while before is not None:
            path = f"/messages?peer={LSP}{before and '&before='}{before}"
            began = time.monotonic()
            page = json.loads(ask(connection, _get(path, victim.operator_token)).body)
            pages.append(time.monotonic() - began)
            before = page["next"]
    return {"all its pages": f"{sum(pages):.2f} s", "pages": str(len(pages))}


def purge_of_nonces(victim: Victim, _: float) -> Mapping[str, str]:
    """600,000 nonces that are out of date are deleted, while a participant sends messages."""
    old = moment_key(datetime.now(UTC) - timedelta(hours=1))
    with closing(sqlite3.connect(victim.database, isolation_level=None)) as database:
        database.execute(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
            " INSERT INTO nonces (key) SELECT ? || printf('-%09d', n) || ? FROM numbers",
            (NONCES, old, f"\n{LSP}\n0198f000-0000-7000-8000-000000000000\n2026-01-01T00:00:00.000Z"),
        )
        good, deadline = GoodClient(victim, limit=20.0), time.monotonic() + UNTIL_TIDIED
        with good.calling(anew=False):
            while _old_nonces(database, old) and time.monotonic() < deadline:
                time.sleep(0.2)
        left = _old_nonces(database, old)
    return {"good ack, longest": good.longest, "nonces left": str(left)}


def _operator_plane(victim: Victim) -> Address:
    return OURSELVES, int(victim.pair.lender.settings["OCEN_OPS_PORT"])


def _get(path: str, token: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n".encode()


def _old_nonces(database: sqlite3.Connection, old: str) -> int:
    """Count those that are there, or say that there is one."""
    (number,) = database.execute(
        "SELECT count(*) FROM (SELECT 1 FROM nonces WHERE key < ? LIMIT 1)", (f"{old}~",)
    ).fetchone()
    return int(number)


def _copy_of_the_message(database: sqlite3.Connection, number: int) -> None:
    """Copy the one message of the inbox so many times, as later ones of the attacker."""
    changed = {"id": "'f' || printf('%09d', n)", "request_id": "'copy-' || n", "sender": f"'{ATTACKER}'"}
    columns = [row[1] for row in database.execute("PRAGMA table_info(inbox)")]
    values = ", ".join(changed.get(column, column) for column in columns)
    database.execute(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
        f" INSERT INTO inbox ({', '.join(columns)}) SELECT {values} FROM inbox, numbers",
        (number,),
    )
