"""Spoiled calls of OCEN 4.0 over real TLS: the LSP's good call, and all that a forger has at hand."""

import json
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from sandbox.network import Membership
from shared.catalogue.table import find_message
from shared.node.identity import load_identity
from shared.node.ids import new_id
from shared.node.onboarding.record import thumbprint_of
from shared.protocol.encoding import base64url_decode
from shared.protocol.profiles import V4
from shared.protocol.signing import load_private_key, new_private_key, private_pem
from shared.protocol.tampering import GoodCall, OtherCaller, OtherMessage
from tests.live.forger import CallForger
from tests.live.network import CREATE, TRIGGER, VERIFY, Network
from tests.live.pair import LSP, SECOND_BANK
from tests.live.spoiling import Forgers
from tests.live.v4_letters import auth_key, token_of, written

OTHER = SECOND_BANK.organisation_id


class CallWorkshop:
    """Where calls of the LSP are made, spoiled and sent to the lender of a running network.

    Its tokens are signed with the private key of the registry's Auth Service, whose files it can read.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._member = network.members[LSP]
        self._lsp = network.lsp.identity
        self._stranger = load_private_key(private_pem(new_private_key()).decode(), "stranger", V4.algorithm)
        other = network.admit(OTHER)
        self._foreign_network = network.registry.admin.network("A network without the lender")[1]
        network.registry.admin.admit(self._foreign_network, self._member.participant_id)
        self._claims = claims_of(network, LSP)
        self._auth_key = auth_key(network)
        self._other = self._other_caller(other)
        self._forgers = Forgers(network, OTHER, CallForger)
        self.send = self._forgers.send

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._forgers.close()

    def good(self) -> GoodCall:
        """A call that the lender accepts, written now."""
        credentials = {"data": {"appToken": "token", "otpSessionKey": new_id(), "otp": "123456"}}
        document = written(self._network, LSP, credBlock=credentials)
        return GoodCall(
            path=find_message(TRIGGER).path,
            document=document,
            key=self._lsp.signing_key.bound_to(V4.algorithm),
            backup_key=self._lsp.backup_keys[0].bound_to(V4.algorithm),
            blocked_key=self._stranger,
            unknown_key=self._stranger,
            other=self._other,
            elsewhere=OtherMessage(find_message(CREATE).path, written(self._network, LSP, CREATE)),
            now=datetime.fromisoformat(document["metadata"]["timestamp"]).astimezone(UTC),
            claims=self._claims,
            auth_key=self._auth_key,
            twin_path=find_message(VERIFY).path,
            foreign_network=self._foreign_network,
        )

    def _other_caller(self, member: Membership) -> OtherCaller:
        home = self._network.certs / OTHER
        return OtherCaller(
            id=member.participant_id,
            certificate=thumbprint_of((home / "tls.pem").read_text()),
            key=load_identity(home / "identity.json").signing_key.bound_to(V4.algorithm),
            organisation_id=member.organisation_id,
            claims=claims_of(self._network, OTHER),
        )


def claims_of(network: Network, organisation_id: str) -> dict[str, Any]:
    """The claims of an access token of a member."""
    claims: dict[str, Any] = json.loads(base64url_decode(token_of(network, organisation_id).split(".")[1]))
    return claims
