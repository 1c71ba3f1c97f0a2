import json
import os
from collections.abc import Callable

import httpx
import pytest

from sandbox.errors import SandboxError
from sandbox.ops_client import OpsClient
from shared.protocol.participants import Dialect, KeyStatus
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
    with pytest.raises(SandboxError, match=r"the lender says: otp: Field required"):
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
    assert ops.unset_peer("3051/x") == {"participant_id": "3051/x"}
    assert seen == [
        ("PUT", b"/peers/3051%2Fx", b'{"dialect":"authstarter"}'),
        ("GET", b"/peers", b""),
        ("DELETE", b"/peers/3051%2Fx", b""),
    ]
    assert answers(404, {"detail": "Nothing was settled"}).unset_peer("77") is None


def test_waiting_ends_when_something_is_found_or_the_time_is_over() -> None:
    ops, looks = answers(404, {}), iter([None, None, "found"])
    assert ops.wait_for(lambda _: next(looks), 100) == "found"
    assert ops.wait_for(lambda ops: ops.message("r-1"), 3) is None


@pytest.mark.parametrize(
    ("act", "call", "body"),
    [
        (lambda ops: ops.onboard({"name": "Bank"}), "POST /participants", {"name": "Bank"}),
        (lambda ops: ops.participant("B"), "GET /participants/B", None),
        (lambda ops: ops.offboard("B", "ended"), "POST /participants/B/offboard", {"reason": "ended"}),
        (lambda ops: ops.amend("B", name="New", reason="r"), "PATCH /participants/B", {"name": "New", "reason": "r"}),
        (
            lambda ops: ops.add_key("B", "pem", "k", "r"),
            "POST /participants/B/keys",
            {"public_key": "pem", "kid": "k", "reason": "r"},
        ),
        (
            lambda ops: ops.change_key("B", "k/1", KeyStatus.BLOCKED, "r"),
            "PUT /participants/B/keys/k%2F1",
            {"status": "BLOCKED", "reason": "r"},
        ),
        (
            lambda ops: ops.add_certificate("B", "pem", "r"),
            "POST /participants/B/certificates",
            {"tls_certificate": "pem", "reason": "r"},
        ),
        (
            lambda ops: ops.remove_certificate("B", "ab", "old one"),
            "DELETE /participants/B/certificates/ab?reason=old+one",
            None,
        ),
        (lambda ops: ops.own_form(), "GET /identity/form", None),
        (lambda ops: ops.make_key("k", "r"), "POST /identity/keys", {"kid": "k", "reason": "r"}),
    ],
)
def test_what_is_done_with_participants_is_one_call(
    act: Callable[[OpsClient], dict[str, object]], call: str, body: object
) -> None:
    asked: list[tuple[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        content = json.loads(request.content) if request.content else None
        asked.append((f"{request.method} {request.url.raw_path.decode()}", content))
        return httpx.Response(200, json={"done": True})

    assert act(client(answer)) == {"done": True}
    assert asked == [(call, body)]


def test_a_renewed_certificate_is_told_by_its_thumbprint() -> None:
    assert answers(200, {"certificate": "ab" * 32}).renew_certificate() == "ab" * 32


def test_over_a_real_connection_a_form_is_posted() -> None:
    asked: list[tuple[str, object]] = []
    table = {**alive("LENDER01", os.getpid()), "POST /participants": (201, {})}
    with operator_plane(table, asked) as url, OpsClient("lender", url, TOKEN) as ops:
        ops.onboard({"organisation_id": "BANK01"})
        assert ops.is_process(os.getpid(), "LENDER01")
        assert ops.is_ready()
    assert asked[0] == ("POST /participants", {"organisation_id": "BANK01"})
