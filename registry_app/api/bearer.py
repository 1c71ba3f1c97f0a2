"""The bearer token that the registry and the heartbeat demand (RFC 6750; OCEN registry, bearerAuth)."""

from typing import Annotated

from fastapi import Depends, Request

from registry_app.auth.errors import TokenRefused
from registry_app.auth.tokens import TokenHolder
from registry_app.components import TheRegistry
from shared.transport.peer_protocol import PEER_EXTENSION
from shared.transport.tls import PeerCertificate


async def demand_token(request: Request, registry: TheRegistry) -> TokenHolder:
    """Return whose token a request shows.

    Raises:
        TokenRefused: it shows none, one that is not valid, or one of another participant than its certificate.
    """
    given = request.headers.getlist("authorization")
    if not given:
        raise TokenRefused("This needs an access token; send the header Authorization: Bearer TOKEN.", error="")
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise TokenRefused("The header Authorization holds no single bearer token.")
    return await registry.auth.holder(token.strip(), shown_certificate(request))


def shown_certificate(request: Request) -> str:
    """Return the certificate that the connection shows (SHA-256, hex), empty for none."""
    peer: PeerCertificate | None = request.scope.get("extensions", {}).get(PEER_EXTENSION)
    return peer.thumbprint if peer is not None else ""


TheCaller = Annotated[TokenHolder, Depends(demand_token)]
"""The parameter through which a route is given whose token was shown; without a valid one it is not reached."""
