#!/usr/bin/env python3
"""Receives messages (OCEN 4.0) over mutual TLS and answers each with a signed ack: Python's own library, and openssl.

    v4_listener.py KEYS CA REGISTRY

KEYS has membership.json, client-secret, signing.key, tls.pem and tls.key, as `ocen-sandbox registry join` leaves them.
CA is the certificate that the others' TLS certificates are verified with, REGISTRY the base URL of Auth Service and
registry. It listens at the base URL that the registry has for it until Ctrl-C, and prints what it gets. A
TriggerLoanAcceptanceRequest it answers, as a lender does, with the callback. It remembers nothing but its token: a real
receiver keeps keys and participants for minutes, refuses a timestamp that is not of now, remembers timestamps, traceIds
and requestIds, and acks a message only when it is safe on disk.
"""

import hashlib
import json
import ssl
import sys
import threading
import time
from datetime import UTC, datetime
from http.client import HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from v4_signing import decode, holds, sign, verify

TRIGGER = "/v4.0.0alpha/loanAcceptance/triggerLoanAcceptanceRequest"
TRIGGERED = "/v4.0.0alpha/loanAcceptance/triggerLoanAcceptanceResponse"
REALM = "/realms/dev"


class RefusedError(Exception):
    """A message that is not accepted: HTTP status and error code."""


class Answer(NamedTuple):
    """What a server has answered."""

    status: int
    signature: str
    body: bytes


class Network:
    """Our membership: what we know of the others, and what we say to them."""

    def __init__(self, keys: Path, authority: Path, registry: str) -> None:
        """Read our keys; nothing is asked yet."""
        self.keys, self.registry = keys, registry.rstrip("/")
        self.me = json.loads((keys / "membership.json").read_text())
        self.client = ssl.create_default_context(cafile=authority)
        self.client.load_cert_chain(keys / "tls.pem", keys / "tls.key")
        self._token, self._renewed_at = "", 0.0

    def call(self, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """GET, or POST a body, showing our certificate; redirects are not followed."""
        place = urlsplit(url)
        connection = HTTPSConnection(place.hostname or "", place.port or 443, timeout=10, context=self.client)
        try:
            connection.request("GET" if body is None else "POST", place.path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers.get("Signature", ""), response.read())
        finally:
            connection.close()

    def token(self) -> str:
        """Return an access token; it is kept for 80 % of its life."""
        if time.monotonic() >= self._renewed_at:
            secret = (self.keys / "client-secret").read_text().strip()
            form = {"grant_type": "client_credentials", "client_id": self.me["client_id"], "client_secret": secret}
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            url = f"{self.registry}{REALM}/protocol/openid-connect/token"
            given = json.loads(self.call(url, urlencode(form).encode(), kind).body)
            if "access_token" not in given:
                raise HTTPException(f"the Auth Service gives no token: {given}")
            self._token, self._renewed_at = given["access_token"], time.monotonic() + 0.8 * given["expires_in"]
        return self._token

    def look_up(self, path: str) -> Any:
        """Ask the registry; None if it does not know."""
        answer = self.call(f"{self.registry}/service{path}", headers={"Authorization": f"Bearer {self.token()}"})
        if answer.status not in (200, 404):
            raise HTTPException(f"the registry answers {answer.status} to {path}")
        return json.loads(answer.body) if answer.status == 200 else None

    def caller_of(self, token: str) -> str:
        """Return the participant id of a token that the Auth Service has signed and that counts now."""
        try:
            head, claims, tail = token.split(".")
            header, said, signature = json.loads(decode(head)), json.loads(decode(claims)), decode(tail)
            participant, issuer, now = str(said["participantId"]), said["iss"], datetime.now(UTC).timestamp()
            counts = issuer == self.registry + REALM and said["exp"] > now - 60 and said.get("nbf", 0) <= now + 60
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(401, "AUTH1005") from error
        keys = json.loads(self.call(f"{self.registry}{REALM}/protocol/openid-connect/certs").body)["keys"]
        if not counts or not holds(keys, header, f"{head}.{claims}".encode(), signature):
            raise RefusedError(401, "AUTH1005")
        return participant

    def sign(self, body: bytes) -> str:
        """Make the header `Signature` of a body, with our key."""
        return sign(self.keys / "signing.key", self.me["kid"], body)

    def judge(self, headers: Any, certificate: bytes, body: bytes) -> Any:
        """Return the message if token, signature, metadata and certificate are those of one participant."""
        kind, _, token = headers.get("Authorization", "").partition(" ")
        sender = self.caller_of(token if kind.lower() == "bearer" else "")
        participant = self.look_up(f"/participant-roles/{sender}")
        if participant is None or not participant["isApproved"]:
            raise RefusedError(403, "AUTH1004")
        keys = self.look_up(f"/participant-roles/{sender}/jwks")["keys"]
        if not verify(keys, headers.get("Signature", ""), body):
            raise RefusedError(401, "AUTH1001")
        try:
            message = json.loads(body)
            metadata = message["metadata"]
            metadata["traceId"], metadata["requestId"]
            named = metadata.get("originatorParticipantId", metadata.get("participantId"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RefusedError(400, "GEN5008") from error
        registered = participant.get("tlsCertificates")
        if named != sender or (registered and hashlib.sha256(certificate).hexdigest() not in registered):
            raise RefusedError(403, "AUTH1004")
        return {**message, "sender": participant}

    def call_back(self, request: Any) -> None:
        """Post the TriggerLoanAcceptanceResponse to the base URL that the registry has, and verify its ack."""
        me, sender, trace_id = self.me, request["sender"], str(uuid4())
        us = {"originatorOrgId": me["organisation_id"], "originatorParticipantId": me["participant_id"]}
        us |= {"orgId": me["organisation_id"], "participantId": me["participant_id"]}
        ids = {"traceId": trace_id, "requestId": request["metadata"]["requestId"]}
        callback = {
            "metadata": {"version": "4.0.0alpha", "timestamp": now(), **ids, **us},
            "productData": request["productData"],
            "response": {"status": "SUCCESS"},
            "loanApplicationId": request["loanApplicationId"],
            "loanApplicationStatus": "LOAN_AGREEMENT_INITIATED",
            "credBlock": {"data": {"otpSessionKey": str(uuid4()), "maskedPhoneNumber": "XXXXXXX417"}},
        }
        body = json.dumps(callback).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token()}"}
        answer = self.call(sender["baseUrl"] + TRIGGERED, body, {**headers, "Signature": self.sign(body)})
        keys = self.look_up(f"/participant-roles/{sender['id']}/jwks")["keys"]
        ack = json.loads(answer.body) if verify(keys, answer.signature, answer.body) else {}
        verdict = f"error {ack.get('error')}" if ack.get("traceId") == trace_id else "no valid ack"
        print(f"callback: HTTP {answer.status}, {verdict}", flush=True)


def trace_id_in(body: bytes) -> str:
    """Return the traceId that an ack repeats, of a refusal too; empty if there is none."""
    try:
        return str(json.loads(body)["metadata"]["traceId"])
    except (ValueError, KeyError, TypeError):
        return ""


def now() -> str:
    """Return this moment in UTC (RFC 3339)."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Receiver(BaseHTTPRequestHandler):
    """Answers a POST with a signed ack."""

    protocol_version = "HTTP/1.1"
    network: Network

    def do_POST(self) -> None:
        """Take one message; call back after the ack."""
        body, message, status, error = self.rfile.read(int(self.headers.get("Content-Length", 0))), None, 200, "0"
        certificate = self.connection.getpeercert(binary_form=True)
        try:
            message = self.network.judge(self.headers, certificate, body)
        except RefusedError as refusal:
            status, error = refusal.args
        except (OSError, HTTPException, ValueError) as failure:
            print(f"Auth Service or registry cannot be asked: {failure}", flush=True)
            status, error = 503, "GEN5004"
        ack = {"error": error, "timestamp": now(), "traceId": trace_id_in(body)}
        answer = json.dumps(ack).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Signature", self.network.sign(answer))
        self.end_headers()
        self.wfile.write(answer)
        print(f"POST {self.path}: {'accepted' if message else error}\n{body.decode(errors='replace')}", flush=True)
        if message and self.path == TRIGGER:
            threading.Thread(target=self.network.call_back, args=[message], daemon=True).start()

    def log_message(self, *_: object) -> None:
        """Say nothing beyond what `do_POST` prints."""


class Listener(ThreadingHTTPServer):
    """Says in one line why a connection failed."""

    daemon_threads = True

    def handle_error(self, _: object, client: Any) -> None:
        """Print the error that has just been raised."""
        print(f"connection from {client[0]} failed: {sys.exc_info()[1]}", flush=True)


def give_up(sentence: str) -> NoReturn:
    """Say what is wrong, and end with status 2."""
    print(f"v4_listener.py: {sentence}", file=sys.stderr)
    sys.exit(2)


def main() -> None:
    """Listen until Ctrl-C."""
    if len(sys.argv) != 4:
        give_up("call it with three arguments: KEYS CA REGISTRY")
    keys, authority = Path(sys.argv[1]), Path(sys.argv[2])
    needed = [keys / name for name in ("membership.json", "client-secret", "signing.key", "tls.pem", "tls.key")]
    if missing := [str(file) for file in [*needed, authority] if not file.is_file()]:
        give_up(f"not there: {', '.join(missing)}; `ocen-sandbox registry join` makes the folder")
    Receiver.network = network = Network(keys, authority, sys.argv[3])
    try:
        url = urlsplit(network.look_up(f"/participant-roles/{network.me['participant_id']}")["baseUrl"])
        place = ("127.0.0.1" if url.hostname == "localhost" else "", url.port or 443)
        server = Listener(place, Receiver)
    except (OSError, HTTPException, ValueError, TypeError) as error:
        give_up(f"no start with registry {network.registry} and the port of our base URL there: {error}")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(keys / "tls.pem", keys / "tls.key")
    with server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        print(f"listening at port {place[1]}; Ctrl-C ends it", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
