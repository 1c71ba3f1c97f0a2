#!/usr/bin/env python3
"""Receives messages (OCEN v3) over mutual TLS and answers each with a signed ack: Python's own library, and openssl.

    listener.py [FOLDER]

FOLDER (the one that this file is in, if none is given) has form.yaml, signing.key, tls.pem and tls.key, and in
counterparty/ the form that onboarding answered with and its PEM files. It listens at base_url until Ctrl-C,
and prints what it gets. It remembers nothing: a real receiver keeps timestamps, traceIds and
requestIds, and acks a message only when it is safe on disk.
"""

import base64
import json
import ssl
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit


def fields(form: Path) -> dict[str, str]:
    """Read the fields of a form that stand on one line: `field: value`."""
    lines = [line.partition(":") for line in form.read_text("utf-8").splitlines() if line[:1].isalpha()]
    return {name: value.strip().strip("\"'") for name, _, value in lines}


def encode(data: bytes) -> str:
    """Write bytes as base64url without padding (RFC 7515 s2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(folder: Path, payload: dict[str, str]) -> dict[str, str]:
    """Make the signed envelope of a payload: RS512, that is PKCS#1 v1.5 and SHA-512."""
    header = {"kid": fields(folder / "form.yaml")["kid"], "alg": "RS512"}
    parts = {"payload": encode(json.dumps(payload).encode()), "header": encode(json.dumps(header).encode())}
    signed = f"{parts['header']}.{parts['payload']}".encode()
    command = ["openssl", "dgst", "-sha512", "-sign", str(folder / "signing.key"), "-binary"]
    signature = subprocess.run(command, input=signed, capture_output=True, check=True).stdout
    return {**parts, "signature": encode(signature)}


def verify(peer: Path, envelope: dict[str, str]) -> bool:
    """Tell whether the counterparty's key that the kid names has signed the envelope."""
    header, form = json.loads(decode(envelope["header"])), fields(peer / "form.yaml")
    files = {form["kid"]: form["public_key_file"], form.get("backup_kid"): form.get("backup_public_key_file")}
    file = files.get(header.get("kid"))
    if header.get("alg") != "RS512" or file is None:
        return False
    with tempfile.NamedTemporaryFile() as signature:
        signature.write(decode(envelope["signature"]))
        signature.flush()
        command = ["openssl", "dgst", "-sha512", "-verify", str(peer / file), "-signature", signature.name]
        signed = f"{envelope['header']}.{envelope['payload']}".encode()
        return subprocess.run(command, input=signed, capture_output=True, check=False).returncode == 0


def judge(peer: Path, body: bytes) -> tuple[int, str, Any]:
    """Return the HTTP status, the error code and the payload of what came in."""
    try:
        envelope = json.loads(body)
        payload = json.loads(decode(envelope["payload"]))
        if not verify(peer, envelope):
            return 401, "AUTH1001", payload
        payload["metadata"]["traceId"], payload["requestId"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return 400, "GEN5008", None
    return 200, "0", payload


class Receiver(BaseHTTPRequestHandler):
    """Answers a POST with a signed ack."""

    protocol_version = "HTTP/1.1"
    folder = Path(__file__).parent

    def do_POST(self) -> None:
        """Take one message."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, error, payload = judge(self.folder / "counterparty", body)
        ack = {"error": error, "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds")}
        if isinstance(payload, dict) and isinstance(payload.get("metadata"), dict):
            ack["traceId"] = payload["metadata"].get("traceId", "")
        answer = json.dumps(sign(self.folder, ack)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        print(f"POST {self.path}: {'accepted' if error == '0' else error}\n{json.dumps(payload, indent=2)}", flush=True)

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
    print(f"listener.py: {sentence}", file=sys.stderr)
    sys.exit(2)


def tls_of(folder: Path) -> ssl.SSLContext:
    """Show the folder's certificate, and trust the counterparty's."""
    peer = folder / "counterparty"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a certificate that is listed is trusted without its issuer
    trust = [peer / "ca.pem", peer / fields(peer / "form.yaml")["tls_certificate_file"]]
    for file in trust:
        if file.exists():
            context.load_verify_locations(file)
    return context


def main() -> None:
    """Listen until Ctrl-C."""
    Receiver.folder = folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Receiver.folder
    needed = ("form.yaml", "signing.key", "tls.pem", "tls.key", "counterparty/form.yaml")
    if missing := [name for name in needed if not (folder / name).is_file()]:
        give_up(f"{folder} has no {', '.join(missing)}: name the folder of a kit, or one with the same files")
    context = tls_of(folder)
    url = urlsplit(fields(folder / "form.yaml")["base_url"])
    place = ("127.0.0.1" if url.hostname == "localhost" else "", url.port or 443)
    try:
        server = Listener(place, Receiver)
    except OSError as error:
        give_up(f"port {place[1]} cannot be used ({error.strerror}): end its holder, or change base_url at both sides")
    with server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        print(f"listening at port {place[1]}; Ctrl-C ends it", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
