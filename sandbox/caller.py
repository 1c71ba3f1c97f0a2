"""A caller beside the nodes: sends exactly the bytes that it is given, and judges the signed answer."""

import ssl
from types import TracebackType
from typing import Final, Self

import httpx

from shared.node.net.tls import thumbprint
from shared.protocol.participants import Participant
from shared.protocol.profiles import V3
from shared.protocol.verification import Examination, Peer

_HEADERS: Final = {"content-type": "application/json"}


class Caller:
    """Keeps one TLS connection to a participant for all that it sends.

    Attributes:
        connection: our end of the connection that carried the last answer, address and port; None before that.
    """

    def __init__(self, receiver: Participant, tls: ssl.SSLContext) -> None:
        """Call `receiver` as whoever `tls` shows the certificate of."""
        self.connection: tuple[str, int] | None = None
        self._receiver = receiver
        self._http = httpx.Client(
            verify=tls,
            trust_env=False,
            timeout=V3.ack_timeout.total_seconds(),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=None),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def post(self, path: str, body: bytes, trace_id: str) -> tuple[int, Examination]:
        """Send an envelope whose traceId is `trace_id`; return the HTTP status, and what was found in the answer.

        Raises:
            httpx.TransportError: there is no answer.
        """
        response = self._http.post(self._receiver.base_url + path, content=body, headers=_HEADERS)
        stream = response.extensions["network_stream"]
        self.connection = stream.get_extra_info("client_addr")
        shown: ssl.SSLSocket = stream.get_extra_info("ssl_object")
        peer = Peer(thumbprint(shown.getpeercert(True) or b""), self._receiver.base_url)
        return response.status_code, V3.examine_ack(response.content, peer, self._receiver, trace_id)
