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

from shared.protocol.acknowledgement import Acknowledgement
from shared.protocol.encoding import base64url_decode
from shared.protocol.envelope import seal
from shared.protocol.signing import SigningKey


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
        for one in (self._socket, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
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
        ack = seal(Acknowledgement(trace_id, datetime.now(UTC)).payload(), self._key).to_bytes()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(ack)}\r\nconnection: close"
        return head.encode() + b"\r\n\r\n" + ack


def showing(certificate: Path, private_key: Path, trust: Path) -> ssl.SSLContext:
    """TLS of a server that shows this certificate, and demands one of its callers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private_key)
    context.load_verify_locations(trust)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
