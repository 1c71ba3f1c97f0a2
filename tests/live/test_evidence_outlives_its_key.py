"""The evidence of a real exchange outlives the key that signed it, and shows when somebody has changed the journal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from shared.catalogue.table import example_of, find_message
from shared.protocol.participants import KeyStatus
from shared.storage.database import open_engine
from tests.equipment.evidence import OPENSSL, Unpacked, spoil, unpack
from tests.live.letters import TRIGGER, TRIGGERED
from tests.live.pair import LENDER, LSP, Pair, PairFactory, Side
from tests.live.waiting import eventually

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed here")

PARTS = ["1-request", "1-request-ack", "2-callback", "2-callback-ack"]


def exchange(pair: Pair) -> str:
    """Have the LSP send a request that is answered; its requestId."""
    request_id: str = pair.lsp.ops.send(TRIGGER, LENDER, example_of(find_message(TRIGGER)))["request_id"]
    eventually(lambda: pair.lsp.delivered(request_id, TRIGGER))
    eventually(lambda: pair.lender.delivered(request_id, TRIGGERED))
    return request_id


def rotate(pair: Pair) -> str:
    """Let the LSP sign with its back-up key, and block the former one on both sides; the former kid."""
    own = pair.lsp.ops.identity()
    for side in (pair.lender, pair.lsp):
        side.ops.change_key(LSP, own["backup_kids"][0], KeyStatus.ACTIVE)
        side.ops.change_key(LSP, own["kid"], KeyStatus.BLOCKED, "the disk was stolen")
    kid: str = own["kid"]
    return kid


def evidence(side: Side, request_id: str, folder: Path) -> Unpacked:
    """The evidence that a node gives, unpacked."""
    return unpack(side.ops.evidence(request_id), folder)


@contextmanager
def database(side: Side) -> Iterator[Engine]:
    """The database of a node, to be changed behind its back."""
    engine = open_engine(side.settings["OCEN_DATABASE_URL"])
    yield engine
    engine.dispose()


def test_evidence_outlives_its_key_and_shows_a_changed_byte(make_pair: PairFactory, tmp_path: Path) -> None:
    pair = make_pair()
    pair.start()
    request_id = exchange(pair)
    former = rotate(pair)
    assert pair.lsp.sent(exchange(pair), TRIGGER)["attempts"][0]["kid"] != former  # type: ignore[index]

    for side in (pair.lender, pair.lsp):
        made = evidence(side, request_id, tmp_path / f"{side.identity.organisation_id} before")
        assert made.manifest["holds"]
        assert made.parts["1-request"]["kid"] == former
        assert [event["status"] for event in made.stated["key_events"] if event["kid"] == former][-1] == "BLOCKED"
        done = made.verify()
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.split(":")[0] for line in done.stdout.splitlines()[1:]] == [f"OK    {name}" for name in PARTS]

    place = 100
    with database(pair.lender) as engine:
        spoil(
            engine,
            "inbox.raw",
            lambda raw: raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :],
            request_id=request_id,
        )
    made = evidence(pair.lender, request_id, tmp_path / "changed")
    done = made.verify()

    assert [name for name, part in made.parts.items() if part["flaws"]] == ["1-request"]
    assert done.returncode == 1
    assert [line[:15] for line in done.stdout.splitlines() if not line.startswith("OK")] == ["FAIL  1-request"]
    assert evidence(pair.lsp, request_id, tmp_path / "untouched").verify().returncode == 0
