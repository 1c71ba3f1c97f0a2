"""A TLS server of a counterparty that we play ourselves: it notes who calls and what is said, and acknowledges it."""

import contextlib
import json
import socket
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from shared.protocol.detached import seal_detached
from shared.protocol.encoding import base64url_decode
from shared.protocol.envelope import seal
from shared.protocol.participants import Dialect
from shared.protocol.signing import SigningKey
from shared.protocol.verification import Acknowledgement


@dataclass
class Call:
    """One connection: what our side of the handshake found, the caller's leaf (DER), and every byte that it sent."""

    failure: str = ""
    certificate: bytes = b""
    said: bytes = b""


class Listener:
    """Listens on a free port of localhost; `shows` is the context of the connections to come."""

    def __init__(self, shows: ssl.SSLContext, key: SigningKey) -> None:
        self.shows = shows
        self.calls: list[Call] = []
        self._key = key
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"https://localhost:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for connection in (self._socket, *self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        call = Call()
        try:
            with self.shows.wrap_socket(connection, server_side=True) as tls:
                self._open.append(tls)
                call.certificate = tls.getpeercert(binary_form=True) or b""
                while body := self._request(tls, call):
                    tls.sendall(self._ack(body))
        except OSError as error:  # ssl.SSLError is one
            call.failure = str(error)
        finally:
            self.calls.append(call)

    def _request(self, tls: ssl.SSLSocket, call: Call) -> bytes:
        """The body of the next request; empty when the caller has hung up."""
        start, body = len(call.said), b""
        while piece := tls.recv(65536):
            call.said += piece
            head, _, body = call.said[start:].partition(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            if length and len(body) >= int(length):
                return body
        return b""

    def _ack(self, body: bytes) -> bytes:
        trace_id = json.loads(base64url_decode(json.loads(body)["payload"]))["metadata"]["traceId"]
        return ok(seal(Acknowledgement(trace_id, datetime.now(UTC)).payload(), self._key).to_bytes())


class CallListener(Listener):
    """The same for OCEN 4.0; its acks name `trace_id`, or that of the call where none is given."""

    trace_id = ""

    def _ack(self, body: bytes) -> bytes:
        trace_id = self.trace_id or json.loads(body)["metadata"]["traceId"]
        ack = Acknowledgement(trace_id, datetime.now(UTC)).payload()
        signed = seal_detached(ack, self._key, Dialect.STRICT)
        return ok(ack, *(f"{name.title()}: {value}" for name, value in signed.items()))


def ok(body: bytes, *headers: str) -> bytes:
    """A response with that body, after which the connection is closed."""
    usual = ("content-type: application/json", f"content-length: {len(body)}", "connection: close")
    return "\r\n".join(["HTTP/1.1 200 OK", *usual, *headers, "", ""]).encode() + body


def showing(certificate: Path, private_key: Path, trust: Path) -> ssl.SSLContext:
    """TLS of a server that shows this certificate, and demands one of its callers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private_key)
    context.load_verify_locations(trust)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
