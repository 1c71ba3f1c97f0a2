from pathlib import Path
from typing import Any

import pytest

from sandbox.cli import main
from tests.sandbox.nodes import Pair

NAME = "TriggerLoanAcceptanceRequest"
STEP = {
    "check": "signature_verifies",
    "outcome": "passed",
    "text": "The signature is right",
    "clause": "RFC 7515 s5.2",
    "expected": "a signature",
    "found": "one",
}
FAILED = {
    **STEP,
    "outcome": "failed",
    "expected": "an RS512 signature by kid-1",
    "found": "256 bytes that do not verify",
}


def signed(payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "envelope": '{"payload":"e30"}',
        "signature": "",
        "decoded": {"header": {"kid": "kid-1"}, "payload": payload},
    }


def sent(state: str = "DELIVERED", message: str = NAME) -> dict[str, Any]:
    answered = state in ("DELIVERED", "REFUSED")
    attempt = {
        "started_at": "2031-05-06T07:08:09.123Z",
        "milliseconds": 12.3,
        "trace_id": "t-1",
        "kid": "kid-1",
        "outcome": {"DELIVERED": "ACCEPTED", "REFUSED": "REFUSED"}.get(state, "FAILED"),
        "status": 200 if answered else None,
        "reason": "acknowledged" if state == "DELIVERED" else "no answer: ConnectError",
        "sent": signed({"requestId": "r-1"}),
        "answer": signed({"error": "0"}) if answered else None,
        "verification": [STEP] if answered else [],
    }
    return {
        "id": "d-1",
        "message": message,
        "peer": "LENDER01",
        "at": "2031-05-06T07:08:09.120Z",
        "state": state,
        "tries": 1,
        "due_at": "2031-05-06T07:08:39.120Z",
        "result": attempt["reason"],
        "content": {},
        "attempts": [attempt],
    }


def received(message: str) -> dict[str, Any]:
    return {
        "id": "i-1",
        "message": message,
        "peer": "LENDER01",
        "at": "2031-05-06T07:08:09.200Z",
        "trace_id": "t-2",
        "kid": "kid-9",
        "certificate": "ab" * 32,
        "address": "127.0.0.1",
        "verification": [STEP],
        "ack": signed({"error": "0"}),
        **signed({"requestId": "r-1", "metadata": {}, "credBlock": {"type": "OTP", "data": {"otpSessionKey": "s-1"}}}),
    }


def refused() -> dict[str, Any]:
    return {
        "id": "x-1",
        "at": "2031-05-06T07:08:10.000Z",
        "peer": "",
        "address": "10.0.0.9",
        "path": "/v3/loan/x",
        "request_id": "r-1",
        "trace_id": "t-3",
        "error": "AUTH1001",
        "meaning": "The signature is not valid.",
        "reason": "no such application of this sender",
        "verification": [FAILED, {**STEP, "check": "nonce_is_new", "outcome": "not reached"}],
        "raw": '{"payload":"[bold]evil[/bold]"}',
        "signature": "",
    }


def history(**parts: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    return 200, {"request_id": "r-1", "sent": [], "received": [], "refused": [], **parts}


def test_status_names_both_nodes_and_says_that_they_are_ready(pair: Pair) -> None:
    status, out, _ = pair.run("status")
    assert status == 0
    assert [line.split()[:3] for line in out.splitlines()[1:3]] == [
        ["lender", "LENDER01", "ready"],
        ["LSP", "LSP123", "ready"],
    ]
    assert "since 2031-05-06 00:00:00 UTC, in the background" in out


def test_at_80_columns_addresses_and_states_are_in_one_piece(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = pair.run("status")[1]
    assert [line.split()[3] for line in out.splitlines()[1:3]] == ["https://lender.example", "https://lsp.example"]
    assert all(line.split()[4].startswith("http://127.0.0.1:") for line in out.splitlines()[1:3])
    line = {
        "request_id": "r-1",
        "direction": "received",
        "message": "v4/CreateLoanApplicationsResponse",
        "at": "2031-05-06T07:08:09.123Z",
        "state": "DELIVERED",
        "tries": 12,
    }
    pair.lender["GET /messages"] = pair.lsp["GET /messages"] = (200, {"items": [line]})
    shown = pair.run("messages", "--at", "lender")[1].splitlines()[1]
    assert shown == "  07:08:09.123  lender  received  v4/CreateLoanApplicationsResponse  DELIVERED  12 tries"


def test_status_tells_a_node_that_is_not_ready_or_not_there(pair: Pair) -> None:
    obstacle = {"reason": "the disk is full", "since": "2031-05-06T07:08:09.101Z"}
    pair.lsp["GET /ready"] = (503, {"ready": False, **obstacle})
    del pair.lender["GET /health"]
    status, out, _ = pair.run("status")
    assert status == 1
    assert "not running" in out
    assert "not ready" in out
    assert "LSP: the disk is full, since 2031-05-06T07:08:09 UTC; see " in out


def test_a_sent_message_shows_its_ack_and_its_callback(pair: Pair) -> None:
    pair.lsp["POST /messages"] = (202, {"id": "d-1", "request_id": "r-1"})
    pair.lsp["GET /messages/r-1"] = history(sent=[sent()], received=[received("TriggerLoanAcceptanceResponse")])
    status, out, _ = pair.run("send", NAME)
    assert status == 0
    assert out.splitlines() == [
        "requestId r-1",
        "✓ signed ack from LENDER01, 12 ms",
        "✓ TriggerLoanAcceptanceResponse from LENDER01, 1 checks hold",
        "  otpSessionKey s-1",
        "",
        "In full: ocen-sandbox messages r-1",
    ]
    _, body = next(request for request in pair.asked if request[0] == "POST /messages")
    assert (body["message"], body["to"]) == (NAME, "LENDER01")
    assert body["content"]["loanApplicationIds"] == ["APPL-2031-000417"]


def test_a_payload_of_ones_own_goes_out_with_its_numbers_as_they_are(pair: Pair, tmp_path: Path) -> None:
    pair.lsp["POST /messages"] = (202, {"id": "d-1", "request_id": "r-1"})
    (tmp_path / "payload.json").write_text('{"amount": 100000.10, "rate": 1e2}')
    status, out, _ = pair.run("send", NAME, "--file", str(tmp_path / "payload.json"), "--to", "BANK01", "--wait", "0")
    assert (status, out) == (0, "requestId r-1\n")
    assert pair.asked[-1][1] == {"message": NAME, "to": "BANK01", "content": {"amount": 100000.1, "rate": 100}}


def test_a_refused_message_shows_the_reason_and_status_1(pair: Pair) -> None:
    pair.lsp["POST /messages"] = (202, {"id": "d-1", "request_id": "r-1"})
    pair.lsp["GET /messages/r-1"] = history(sent=[sent("REFUSED")])
    status, out, _ = pair.run("send", NAME)
    assert status == 1
    assert "✗ REFUSED by LENDER01, 12 ms" in out


def test_a_message_that_is_not_delivered_in_time_shows_how_far_it_is(pair: Pair) -> None:
    pair.lsp["POST /messages"] = (202, {"id": "d-1", "request_id": "r-1"})
    pair.lsp["GET /messages/r-1"] = history(sent=[sent("WAITING")])
    status, out, _ = pair.run("send", NAME, "--wait", "0.01")
    assert status == 1
    assert "not acknowledged yet (WAITING, no answer: ConnectError); the node goes on trying" in out


def test_a_callback_that_does_not_come_in_time_is_said(pair: Pair) -> None:
    pair.lsp["POST /messages"] = (202, {"id": "d-1", "request_id": "r-1"})
    pair.lsp["GET /messages/r-1"] = history(sent=[sent()])
    status, out, _ = pair.run("send", NAME, "--wait", "0.01")
    assert status == 1
    assert "no TriggerLoanAcceptanceResponse after 0.01 s" in out


def test_messages_are_listed_by_request_with_sending_before_receiving(pair: Pair) -> None:
    def line(direction: str, message: str, at: str) -> dict[str, Any]:
        state = "ACCEPTED" if direction == "received" else "DELIVERED"
        return {"request_id": "r-1", "direction": direction, "message": message, "at": at, "state": state, "tries": 2}

    early, late = "2031-05-06T07:08:09.123Z", "2031-05-06T07:08:09.124Z"
    answer = "TriggerLoanAcceptanceResponse"
    pair.lender["GET /messages"] = (200, {"items": [line("sent", answer, early), line("received", NAME, early)]})
    pair.lender["GET /refusals"] = (200, {"items": [refused(), {**refused(), "request_id": ""}]})
    pair.lsp["GET /messages"] = (200, {"items": [line("received", answer, late), line("sent", NAME, early)]})
    _, out, _ = pair.run("messages")
    assert [row.split() for row in out.splitlines()] == [
        ["r-1"],
        ["07:08:09.123", "LSP", "sent", NAME, "DELIVERED", "2", "tries"],
        ["07:08:09.123", "lender", "received", NAME, "ACCEPTED", "2", "tries"],
        ["07:08:09.123", "lender", "sent", answer, "DELIVERED", "2", "tries"],
        ["07:08:09.124", "LSP", "received", answer, "ACCEPTED", "2", "tries"],
        ["07:08:10.000", "lender", "refused", "/v3/loan/x", "AUTH1001"],
        ["no", "requestId", "that", "could", "be", "read"],
        ["07:08:10.000", "lender", "refused", "/v3/loan/x", "AUTH1001"],
    ]
    assert "LSP" not in pair.run("messages", "--at", "lender")[1]


def test_one_request_in_full_has_texts_checks_tries_and_refusals(pair: Pair) -> None:
    pair.lsp["GET /messages/r-1"] = history(sent=[sent()], received=[received("TriggerLoanAcceptanceResponse")])
    pair.lender["GET /messages/r-1"] = history(refused=[refused()])
    _, out, _ = pair.run("messages", "r-1")
    heads = [line.rstrip("─ ") for line in out.splitlines() if line.startswith(("✓", "✗"))]
    assert heads == [
        f"✓ LSP sent {NAME} to LENDER01: DELIVERED",
        "✓ LSP received TriggerLoanAcceptanceResponse from LENDER01: ACCEPTED",
        "✗ lender refused a message at /v3/loan/x: AUTH1001",
    ]
    for text in ('{"payload":"e30"}', '"error": "0"', "try 1  HTTP 200, ACCEPTED", "connection of  unknown"):
        assert text in out
    assert "expected  an RS512 signature by kid-1" in out
    assert "no such application of this sender" in out
    assert "[bold]evil[/bold]" in out  # a stranger's text is shown, never interpreted


def test_an_undelivered_message_in_full_says_when_it_is_tried_again(pair: Pair) -> None:
    pair.lsp["GET /messages/r-1"] = history(sent=[sent("WAITING")])
    _, out, _ = pair.run("messages", "r-1", "--at", "lsp")
    assert "due again  2031-05-06T07:08:39.120Z" in out
    assert "what came back" not in out


def test_an_unknown_request_is_wrong_input(pair: Pair) -> None:
    status, out, err = pair.run("messages", "r-9")
    assert (status, out) == (2, "")
    assert "no message has the requestId r-9: list them with `ocen-sandbox messages`" in err


def test_the_sms_inbox_shows_the_newest_last(pair: Pair) -> None:
    def notice(text: str) -> dict[str, str]:
        return {"at": "2031-05-06T07:08:09.123Z", "recipient": "XXXXXXX317", "reference": "r-1", "text": text}

    pair.lender["GET /notices"] = (200, {"items": [notice("second"), notice("first")]})
    _, out, _ = pair.run("sms")
    assert [line.strip() for line in out.splitlines()[1::2]] == ["first", "second"]
    pair.lender["GET /notices"] = (200, {"items": []})
    assert "No SMS, or all have expired" in pair.run("sms")[1]


def test_a_redrive_finds_the_node_that_has_the_delivery(pair: Pair) -> None:
    pair.lsp["POST /messages/d-1/redrive"] = (202, {"id": "d-1", "request_id": "r-1"})
    assert pair.run("redrive", "d-1")[:2] == (0, "The LSP tries again: requestId r-1\n")
    assert "no node has a delivery d-2" in pair.run("redrive", "d-2")[2]
    pair.lsp["POST /messages/d-1/redrive"] = (409, {"detail": "this delivery is DELIVERED"})
    assert "the LSP says: this delivery is DELIVERED" in pair.run("redrive", "d-1")[2]


def test_participants_are_shown_with_every_key(pair: Pair) -> None:
    one = {
        "organisation_id": "LSP123",
        "name": "Sandbox LSP",
        "role": "LOAN_AGENT",
        "base_url": "https://localhost:8445",
        "ip_addresses": [],
        "judges_addresses": True,
        "certificates": ["ab" * 32],
        "keys": [{"kid": "k-1", "algorithm": "RS512", "status": "BLOCKED", "thumbprint": "x"}],
    }
    pair.lender["GET /participants"] = (200, {"items": [one]})
    pair.lsp["GET /participants"] = (200, {"items": []})
    _, out, _ = pair.run("participants")
    assert "The lender LENDER01 knows" in out
    assert "k-1  BLOCKED, RS512" in out
    assert "calls from   any address" in out


@pytest.mark.parametrize(
    "command",
    [
        ["send", NAME],
        ["send", f"v4/{NAME}"],
        ["messages"],
        ["messages", "r-1"],
        ["sms"],
        ["redrive", "d-1"],
        ["participants"],
        ["registry", "list"],
        ["registry", "peers"],
        ["registry", "show", "LENDER01"],
        ["registry", "dialect", "7", "strict"],
    ],
)
def test_without_a_pair_that_runs_the_mend_is_said(
    command: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--data-dir", str(tmp_path / "none")]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    v4 = " --version v4" if command[0] == "registry" or "v4/" in command[-1] else ""
    mend = f"start it with `ocen-sandbox up{v4}`, or name the folder of one that runs with --data-dir"
    assert err.endswith(f"none): {mend}\n")


def test_half_a_pair_is_told_apart(pair: Pair) -> None:
    del pair.lsp["GET /health"]
    assert "the LSP does not run: run `ocen-sandbox down`, then `ocen-sandbox up`" in pair.run("messages")[2]
