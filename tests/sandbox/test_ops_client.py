import os
from collections.abc import Callable

import httpx
import pytest

from sandbox.errors import SandboxError
from sandbox.ops_client import OpsClient
from shared.node.onboarding.record import ParticipantRecord
from shared.protocol.participants import Dialect
from tests.sandbox.nodes import TOKEN, alive, operator_plane


class Ticking:
    """A clock that goes on a second with every look."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> object:
        raise AssertionError("nobody needs the time of day here")

    def elapsed(self) -> float:
        self.seconds += 1
        return self.seconds


def client(answer: Callable[[httpx.Request], httpx.Response]) -> OpsClient:
    transport = httpx.MockTransport(answer)
    return OpsClient(
        "lender", "http://127.0.0.1:9444", TOKEN, transport=transport, clock=Ticking(), wait=lambda _: None
    )


def answers(status: int, body: object) -> OpsClient:
    return client(lambda _: httpx.Response(status, json=body))


def fails(error: type[httpx.TransportError]) -> OpsClient:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("refused", request=request)

    return client(answer)


def test_the_token_goes_with_every_call() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={"items": []})

    assert client(answer).messages(20) == []
    assert seen == [f"Bearer {TOKEN}"]


def test_the_nodes_own_sentence_is_passed_on() -> None:
    with pytest.raises(SandboxError, match=r"the lender says: content\.otp: Field required"):
        answers(422, {"detail": "content.otp: Field required"}).send("Any", "LSP123", {})


def test_a_node_with_another_token_is_told_apart() -> None:
    with pytest.raises(SandboxError, match="has another ops token: is --data-dir the right one"):
        answers(401, {"detail": "no"}).identity()


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
def test_a_node_that_does_not_answer_is_named(error: type[httpx.TransportError]) -> None:
    with pytest.raises(SandboxError, match=r"the lender does not answer at http://127\.0\.0\.1:9444 \(refused\)"):
        fails(error).participants()
    assert not fails(error).is_ready()
    assert not fails(error).is_process(1, "LENDER01")


def test_something_that_is_no_node_is_not_believed() -> None:
    stranger = client(lambda _: httpx.Response(200, text="<html>"))
    with pytest.raises(SandboxError, match="answers, but not as a node does"):
        stranger.identity()
    assert not stranger.is_process(1, "LENDER01")


def test_what_is_not_known_is_none() -> None:
    unknown = answers(404, {"detail": "unknown"})
    assert (unknown.message("r-1"), unknown.redrive("d-1")) == (None, None)


def test_an_id_from_a_user_stays_one_part_of_the_path() -> None:
    paths: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(404, json={})

    client(answer).message("../participants?a=b#c")
    assert paths == [b"/messages/..%2Fparticipants%3Fa%3Db%23c"]


def test_a_peers_dialect_is_settled_under_its_id() -> None:
    seen: list[tuple[str, bytes, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.url.raw_path, request.content))
        return httpx.Response(200, json={"items": []} if request.method == "GET" else {"participant_id": "3051/x"})

    ops = client(answer)
    assert (ops.set_peer("3051/x", Dialect.AUTHSTARTER), ops.peers()) == ({"participant_id": "3051/x"}, [])
    assert seen == [("PUT", b"/peers/3051%2Fx", b'{"dialect":"authstarter"}'), ("GET", b"/peers", b"")]


def test_waiting_ends_when_something_is_found_or_the_time_is_over() -> None:
    ops, looks = answers(404, {}), iter([None, None, "found"])
    assert ops.wait_for(lambda _: next(looks), 100) == "found"
    assert ops.wait_for(lambda ops: ops.message("r-1"), 3) is None


def test_a_participant_is_registered_under_its_id() -> None:
    record = ParticipantRecord.model_validate(
        {
            "organisation_id": "BANK01",
            "name": "Bank",
            "role": "LENDER",
            "base_url": "https://bank.example",
            "tls_certificates": ["pem"],
            "keys": [{"kid": "k", "pem": "pem"}],
        }
    )
    asked: list[tuple[str, object]] = []
    table = {**alive("LENDER01", os.getpid()), "PUT /participants/BANK01": (200, {})}
    with operator_plane(table, asked) as url, OpsClient("lender", url, TOKEN) as ops:
        ops.register(record)
        assert ops.is_process(os.getpid(), "LENDER01")
        assert ops.is_ready()
    assert asked[0] == ("PUT /participants/BANK01", record.model_dump(mode="json"))
