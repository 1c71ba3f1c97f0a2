"""Many exchanges at a time, begun through the LSP's operator plane, and what has become of them."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any

from sqlalchemy import RowMapping, Table

from sandbox.errors import SandboxError
from shared.catalogue.table import example_of, find_message
from shared.node.ids import new_id
from shared.node.tables import ATTEMPTS, INBOX, NOTICES, OUTBOX, RECORDS, REFUSALS
from shared.protocol.encoding import base64url_decode, parse_json_object
from tests.live.letters import TRIGGER, TRIGGERED
from tests.live.network import TRIGGER as TRIGGER_V4
from tests.live.network import TRIGGERED as TRIGGERED_V4
from tests.live.network import Network
from tests.live.pair import LENDER, Pair, Side
from tests.live.waiting import eventually

SENDERS = 16

STEADY_SENDERS, PAUSE_SECONDS = 4, 0.1
"""Of steady traffic: so many begin an exchange at a time, and each pauses so long before its next."""

ANSWERED = 20
"""Of exchanges under load: so many are complete before a change, and so many begin after it."""


@dataclass(frozen=True)
class Kind:
    """What is exchanged: a request that begins an OTP session, and its callback, in one version of OCEN."""

    request: str
    callback: str
    begin: Callable[[str], object]
    payload: Callable[[bytes], dict[str, Any]]


def v3(pair: Pair) -> Kind:
    """The exchange of v3."""

    def begin(request_id: str) -> object:
        return pair.lsp.ops.send(TRIGGER, LENDER, {"requestId": request_id, **example_of(find_message(TRIGGER))})

    def payload(raw: bytes) -> dict[str, Any]:
        return parse_json_object(base64url_decode(parse_json_object(raw)["payload"]))

    return Kind(TRIGGER, TRIGGERED, begin, payload)


def v4(network: Network) -> Kind:
    """The exchange of OCEN 4.0."""

    def begin(request_id: str) -> object:
        return network.send(TRIGGER_V4, requestId=request_id)

    return Kind(TRIGGER_V4, TRIGGERED_V4, begin, parse_json_object)


class Traffic:
    """Exchanges of a running pair, under requestIds of our own: up to 200 at once, or steady ones without end."""

    def __init__(self, pair: Pair, exchanges: int = 200, kind: Kind | None = None) -> None:
        self._request_ids = [new_id() for _ in range(exchanges)]
        self._pair = pair
        self._kind = kind or v3(pair)
        self._begun: dict[str, Future[object]] = {}

    @property
    def request_ids(self) -> frozenset[str]:
        """The requestIds of all exchanges until now."""
        return frozenset(self._request_ids)

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Begin one exchange after another for as long as this lasts."""
        over = Event()

        def begin_one_after_another() -> None:
            while not over.wait(PAUSE_SECONDS):
                self._request_ids.append(request_id := new_id())
                self._begin(request_id)

        with ThreadPoolExecutor(STEADY_SENDERS) as senders:
            sending = [senders.submit(begin_one_after_another) for _ in range(STEADY_SENDERS)]
            try:
                yield
            finally:
                over.set()
        for sender in sending:
            sender.result()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Begin all exchanges, as fast as the LSP takes them; leave when each has been taken, or could not be."""
        with ThreadPoolExecutor(SENDERS) as senders:
            self._begun = {request_id: senders.submit(self._begin, request_id) for request_id in self.request_ids}
            yield

    @property
    def acknowledged(self) -> frozenset[str]:
        """The requestIds that the LSP's operator plane has taken (202)."""
        begun = self._begun.items()
        return frozenset(id_ for id_, sent in begun if not isinstance(sent.exception(), SandboxError))

    def goes_on(self) -> None:
        """Wait until some exchanges that begin from now on are complete."""
        enough = len(self.request_ids) + ANSWERED
        eventually(lambda: len(self.answered()) >= enough)

    def answered(self) -> frozenset[str]:
        """The requestIds whose callback the LSP has accepted; it need not run now."""
        found = self._pair.lsp.books.rows(INBOX, INBOX.c.request_id)  # looked at again and again: no more than needed
        return self.request_ids & {row["request_id"] for row in found}

    def assert_completed_once(self, request_ids: frozenset[str]) -> None:
        """Find one request, one OTP session, one SMS and one callback for each of these, and nothing given up."""
        lender, lsp = self._pair.lender, self._pair.lsp
        once = Counter(request_ids)
        assert self._under_our_ids(lsp, OUTBOX, state="DELIVERED", message=self._kind.request) == once
        assert self._under_our_ids(lender, INBOX, message=self._kind.request) == once
        assert self._under_our_ids(lender, OUTBOX, state="DELIVERED", message=self._kind.callback) == once
        assert self._under_our_ids(lsp, INBOX, message=self._kind.callback) == once
        notices = Counter(row["reference"] for row in lender.books.rows(NOTICES))
        assert Counter({request_id: notices[request_id] for request_id in request_ids}) == once
        sessions = {row["id"] for row in lender.books.rows(RECORDS) if row["kind"] == "otp-session"}
        assert len(sessions) == notices.total()
        told = {self._session(row["raw"]) for row in lsp.books.rows(INBOX) if row["request_id"] in request_ids}
        assert len(told) == len(request_ids)
        assert told <= sessions

    def assert_nothing_was_refused(self) -> None:
        """Find that each request and each callback was accepted at the first try."""
        for side in (self._pair.lsp, self._pair.lender):
            tries = self.tries(side)
            assert [attempt["reason"] for attempt in tries] == ["acknowledged"] * len(self.request_ids)
            assert [row["steps"] for row in side.books.rows(REFUSALS) if row["request_id"] in self.request_ids] == []

    def tries(self, side: Side) -> list[RowMapping]:
        """Every try of a side to deliver a message under one of our requestIds."""
        ours = {row["id"] for row in side.books.rows(OUTBOX) if row["request_id"] in self.request_ids}
        return [row for row in side.books.rows(ATTEMPTS) if row["outbox_id"] in ours]

    def _begin(self, request_id: str) -> None:
        self._kind.begin(request_id)

    def _session(self, callback: bytes) -> str:
        return str(self._kind.payload(callback)["credBlock"]["data"]["otpSessionKey"])

    def _under_our_ids(self, side: Side, table: Table, **columns: str) -> Counter[str]:
        """How often each of our requestIds stands in a table; any row with other values spoils the count."""
        ours = [row for row in side.books.rows(table) if row["request_id"] in self.request_ids]
        assert [row for row in ours if any(row[name] != value for name, value in columns.items())] == []
        return Counter(row["request_id"] for row in ours)


@contextmanager
def under_load(pair: Pair, kind: Kind | None = None) -> Iterator[Traffic]:
    """Do something while exchanges go on; each of them has to complete, once and at the first try."""
    traffic = Traffic(pair, exchanges=0, kind=kind)
    with traffic.steady():
        eventually(lambda: len(traffic.answered()) >= ANSWERED)
        yield traffic
        traffic.goes_on()
    eventually(lambda: traffic.answered() == traffic.request_ids)
    eventually(lambda: pair.lsp.has_nothing_to_send() and pair.lender.has_nothing_to_send())
    traffic.assert_completed_once(traffic.request_ids)
    traffic.assert_nothing_was_refused()
