"""Messages that were accepted when content fingerprints were made in another way: still known by them."""

import hashlib
import json
from pathlib import Path

from sqlalchemy import update

from shared.node.tables import INBOX
from tests.equipment.lender_node import lender_node
from tests.equipment.messages import TRIGGER
from tests.equipment.parties import payload_of
from tests.equipment.storage import rows


async def test_a_message_that_a_former_version_has_accepted_may_be_repeated_but_not_changed(tmp_path: Path) -> None:
    async with lender_node(tmp_path) as lender:
        first = {**payload_of(TRIGGER.name), "rate": 1.5, "note": "Straße"}
        await lender.post(first)
        kept = {name: value for name, value in first["metadata"].items() if name not in ("timestamp", "traceId")}
        canonical = json.dumps(
            [TRIGGER.full_name, {**first, "metadata": kept, "rate": "Decimal('1.5')"}], sort_keys=True
        )
        with lender.node.engine.begin() as connection:
            connection.execute(update(INBOX).values(content_digest=hashlib.sha256(canonical.encode()).digest()))
        for change, status in (({}, 200), ({"note": "other"}, 409)):
            again = payload_of(TRIGGER.name, traceId=f"trace-{status}")
            assert (await lender.post({**first, **change, "metadata": again["metadata"]})).status == status
        assert len(rows(lender.node.engine, INBOX)) == 1
