"""An insider of an organisation: signs any content with its keys, and sends it with its certificate."""

import ssl
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from sandbox.running import Run
from sandbox.settings import NodeName
from shared.node.identity import Identity, load_identity, load_own_key
from shared.node.ids import new_id
from shared.node.onboarding.own import OwnKeys
from shared.node.onboarding.record import participant_of, read_records
from shared.node.send.client import judge_answer
from shared.protocol.encoding import base64url_encode
from shared.protocol.messages import MessageType
from shared.protocol.participants import Participant
from shared.protocol.phases import Peer
from shared.protocol.profiles import V3, Judged, Originator, Profile
from shared.protocol.signing import SigningKey
from shared.transport.tls import client_context, thumbprint


@dataclass(frozen=True, slots=True)
class Insider:
    """What he has: keys, TLS with the present certificate, and for OCEN 4.0 `headers` with the access token."""

    identity: Identity
    originator: Originator
    tls: ssl.SSLContext
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Caller:
    """Keeps one TLS connection to a participant for all that an insider sends it.

    Attributes:
        connection: our end of the connection that carried the last answer, address and port; None before that.
    """

    def __init__(self, insider: Insider, receiver: Participant, profile: Profile = V3) -> None:
        """Call `receiver`; `profile` says how to sign."""
        self.connection: tuple[str, int] | None = None
        self._insider, self._receiver, self._profile = insider, receiver, profile
        self._http = httpx.Client(
            verify=insider.tls,
            trust_env=False,
            timeout=profile.ack_timeout.total_seconds(),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=None),
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def send(
        self,
        message: MessageType,
        content: Mapping[str, Any],
        request_id: str,
        key: SigningKey,
        now: datetime,
        *,
        change: Callable[[bytes], bytes] = lambda payload: payload,
    ) -> tuple[int, Judged]:
        """Sign a message at an aware moment, `change` its payload then, and send it.

        Returns the HTTP status, and what was found in the answer. Raises httpx.TransportError if there is none.
        """
        trace_id = new_id()
        payload = self._profile.stamp(content, self._insider.originator, request_id, trace_id, now)
        sealed, changed = self._profile.sign(payload, key, self._profile.variant_for(self._receiver)), change(payload)
        body = sealed.body.replace(base64url_encode(payload).encode(), base64url_encode(changed).encode())
        body = body.replace(payload, changed)  # OCEN 4.0: the payload is the body
        headers = {"content-type": "application/json", **sealed.headers, **self._insider.headers}
        response = self._http.post(self._receiver.base_url + message.path, content=body, headers=headers)
        stream = response.extensions["network_stream"]
        self.connection = stream.get_extra_info("client_addr")
        shown: ssl.SSLSocket = stream.get_extra_info("ssl_object")
        peer = Peer(thumbprint(shown.getpeercert(True) or b""), self._receiver.base_url)
        return response.status_code, judge_answer(response, peer, self._receiver, trace_id, self._profile)


def signing_with(insider: Insider, home: Path, kid: str) -> Insider:
    """Return the insider with the key of that kid, which may have been made after the identity file in `home`.

    Raises IdentityError if its private half is not there.
    """
    identity = copy(insider.identity)
    identity.signing_key = load_own_key(OwnKeys(identity, home).file(kid), kid)
    return replace(insider, identity=identity)


def lsp_and_lender_of(run: Run) -> tuple[Insider, Participant]:
    """Return an insider of the LSP, and the lender, from the files of a run of OCEN v3.

    The lender is at its address: in the file another pair of the same keys may have written its own.

    Raises IdentityError, OnboardingError, TlsConfigurationError if the files cannot be used.
    """
    identity = load_identity(run.certs / run.nodes[NodeName.LSP].organisation_id / "identity.json")
    lender = run.nodes[NodeName.LENDER]
    records = {record.organisation_id: record for record in read_records(run.certs / "participants.json")}
    listed = participant_of(records[lender.organisation_id])
    tls = client_context(*identity.calling, identity.trust)
    return Insider(identity, identity.originators[V3.name], tls), replace(listed, base_url=lender.url)
