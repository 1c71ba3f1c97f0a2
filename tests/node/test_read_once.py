"""Every JSON text of a message is parsed once, whatever becomes of the message and however many ask what it says."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.protocol import encoding, phases
from shared.protocol.encoding import dump_json
from shared.protocol.phases import MAX_BODY_BYTES
from shared.protocol.tampering import TAMPERINGS
from shared.protocol.tokens import parse_token
from tests.equipment.lender_node import LenderNode, lender_node, signed
from tests.equipment.member_pair import GRANT, MemberPair, body_of, member_pair
from tests.equipment.messages import TRIGGER
from tests.equipment.parties import good_message, lender_key, payload_of
from tests.equipment.scripted_registry import rs256


class Parser:
    """The JSON parser, counting how often each text is given to it."""

    def __init__(self) -> None:
        self.parsed: Counter[str] = Counter()
        self._decoder = encoding._STRICT_JSON

    def decode(self, text: str) -> object:
        self.parsed[text] += 1
        return self._decoder.decode(text)


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> Parser:
    phases._read_header.cache_clear()
    parser = Parser()
    monkeypatch.setattr(encoding, "_STRICT_JSON", parser)
    return parser


@pytest.fixture
async def lender(tmp_path: Path) -> AsyncIterator[LenderNode]:
    async with lender_node(tmp_path) as lender:
        yield lender


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemberPair]:
    async with member_pair(tmp_path, monkeypatch) as pair:
        yield pair


async def test_an_accepted_message_has_envelope_header_and_payload_parsed_once_each(
    lender: LenderNode, parser: Parser
) -> None:
    assert (await lender.post()).status == 200
    assert list(parser.parsed.values()) == [1, 1, 1]


@pytest.mark.parametrize("name", sorted({row.caught_by.name for row in TAMPERINGS}))
async def test_a_refused_message_has_no_text_parsed_twice(lender: LenderNode, parser: Parser, name: str) -> None:
    good = good_message()
    row = next(row for row in TAMPERINGS if row.caught_by.name == name)
    await lender.deliver(row.tamper(good))
    assert max(parser.parsed.values(), default=0) <= 1


async def test_a_body_that_is_too_large_is_not_parsed_at_all(lender: LenderNode, parser: Parser) -> None:
    answer = await lender.send(signed() + b" " * MAX_BODY_BYTES)
    assert (answer.status, answer.ack(lender_key().public())["traceId"]) == (413, "")
    assert not parser.parsed


async def test_a_message_that_conflicts_with_an_earlier_one_has_no_text_parsed_twice(
    lender: LenderNode, parser: Parser
) -> None:
    for number, status in enumerate([200, 409]):
        parser.parsed.clear()
        content = {**payload_of(TRIGGER.name, traceId=f"trace-{number}"), "note": number}
        assert (await lender.post(content)).status == status
        # The header of a key is known after its first message.
        assert list(parser.parsed.values()) == [1, 1, 1][number:]


async def test_whatever_becomes_of_a_call_of_ocen_4_its_body_is_parsed_once_at_most(
    pair: MemberPair, parser: Parser
) -> None:
    parse_token.cache_clear()
    body = body_of()
    calls = [
        ({"headers": {**pair.headers(body), "content-type": "text/plain"}}, 415),
        ({"headers": pair.headers(body, key=rs256("LENDER01"))}, 401),
        ({"headers": pair.headers(body_of("request-2"))}, 401),
        ({"body": body_of(timestamp="2001-01-01T00:00:00.000Z")}, 401),
        ({"body": body_of(sender="3999")}, 403),
        ({"body": dump_json([1])}, 400),
        ({"body": body}, 200),
        ({"body": body}, 409),
        ({"body": body_of(traceId="trace-2"), "path": GRANT.path}, 409),
    ]
    for request, status in calls:
        parser.parsed.clear()
        assert (await pair.post(**{"body": body, **request})).status == status  # type: ignore[arg-type]
        assert parser.parsed[request.get("body", body).decode()] <= 1  # type: ignore[union-attr]
