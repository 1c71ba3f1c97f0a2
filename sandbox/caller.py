"""A caller beside the nodes: sends exactly the bytes that it is given, and judges the signed answer."""

import ssl
from collections.abc import Mapping

import httpx

from shared.node.send.client import judge_answer
from shared.protocol.opened import Peer
from shared.protocol.participants import Participant
from shared.protocol.profiles import V3, Judged, Profile
from shared.transport.tls import thumbprint


class Caller:
    """Keeps one TLS connection to a participant for all that it sends.

    Attributes:
        receiver: who is called.
        connection: our end of the connection that carried the last answer, address and port; None before that.
    """

    def __init__(self, receiver: Participant, tls: ssl.SSLContext, profile: Profile = V3) -> None:
        """Call `receiver` as whoever `tls` shows the certificate of; `profile` judges its answers."""
        self.connection: tuple[str, int] | None = None
        self.receiver = receiver
        self._tls = tls
        self._profile = profile
        self._http = httpx.Client(
            verify=tls,
            trust_env=False,
            timeout=profile.ack_timeout.total_seconds(),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=None),
        )

    def anew(self) -> "Caller":
        """Return one that opens a connection of its own, and shows the same certificate."""
        return Caller(self.receiver, self._tls, self._profile)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def post(self, path: str, body: bytes, trace_id: str, headers: Mapping[str, str]) -> tuple[int, Judged]:
        """Send a message whose traceId is `trace_id`; return the HTTP status, and what was found in the answer.

        Raises httpx.TransportError if there is no answer.
        """
        response = self._http.post(
            self.receiver.base_url + path, content=body, headers={"content-type": "application/json", **headers}
        )
        stream = response.extensions["network_stream"]
        self.connection = stream.get_extra_info("client_addr")
        shown: ssl.SSLSocket = stream.get_extra_info("ssl_object")
        peer = Peer(thumbprint(shown.getpeercert(True) or b""), self.receiver.base_url)
        return response.status_code, judge_answer(response, peer, self.receiver, trace_id, self._profile)
