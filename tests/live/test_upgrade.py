"""A database of another release: an older one is migrated when its node starts, a newer one stops it from starting."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from shared.node.tables import SCHEMA
from shared.storage.database import open_engine
from shared.storage.schema import VERSIONS
from tests.equipment.first_schema import REQUEST_ID, lay_out
from tests.live.pair import Pair, pair_in
from tests.live.program import run_program
from tests.live.test_happy_path import accept_loan
from tests.postgres import create_database


@pytest.fixture(params=["sqlite", "postgresql"])
def old_pair(request: pytest.FixtureRequest, tmp_path: Path, certs: Path) -> Iterator[Pair]:
    """A pair whose lender last ran before databases had versions; it does not run yet."""
    urls = {}
    if request.param == "postgresql":
        urls = {side: create_database(request.getfixturevalue("postgres_url")) for side in ("lender", "lsp")}
    with pair_in(tmp_path, certs, urls) as pair:
        engine = open_engine(pair.lender.settings["OCEN_DATABASE_URL"])
        lay_out(engine, "node")
        engine.dispose()
        yield pair


def test_a_node_goes_on_with_the_database_of_the_first_version(old_pair: Pair) -> None:
    old_pair.start()

    assert [message["request_id"] for message in old_pair.lender.ops.messages(10)] == [REQUEST_ID] * 2
    assert accept_loan(old_pair)[1]["credBlock"]["data"]["status"] == "SUCCESS"

    old_pair.lender.stop()
    engine = open_engine(old_pair.lender.settings["OCEN_DATABASE_URL"])
    with engine.connect() as connection:
        assert connection.scalar(select(VERSIONS.c.version)) == SCHEMA.version
    engine.dispose()


@pytest.mark.parametrize("old_pair", ["sqlite"], indirect=True)
def test_a_node_does_not_start_on_a_newer_database_and_says_so_in_one_line(old_pair: Pair, tmp_path: Path) -> None:
    engine = open_engine(old_pair.lender.settings["OCEN_DATABASE_URL"])
    SCHEMA.bring_up_to_date(engine)
    with engine.begin() as connection:
        connection.execute(update(VERSIONS).values(version=SCHEMA.version + 1))
    engine.dispose()
    file = Path(str(engine.url.database))
    before = file.read_bytes()

    ended = run_program(old_pair.lender.arguments, old_pair.lender.environment, tmp_path)

    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert f"has version {SCHEMA.version + 1} of its tables; this release knows versions up to" in line
    assert file.read_bytes() == before
    assert not list(file.parent.glob(f"{file.name}-*"))
