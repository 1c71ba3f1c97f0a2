"""The realm of the Auth Service: discovery, keys, and tokens (OpenID Connect Discovery 1.0, RFC 7517, RFC 6749).

All three are open to anybody; the token endpoint asks for the credentials of a client.
"""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from registry_app.api.bearer import shown_certificate
from registry_app.api.refusals import NO_STORE, TokenRefusal, refused_with
from registry_app.auth.errors import invalid_request
from registry_app.auth.token_request import SCOPE, read_token_request
from registry_app.components import TheRegistry
from shared.catalogue.bodies.v4.registry import JWKS_PATH, REALM, TOKEN_PATH, JsonWebKeySet, as_json
from shared.protocol.tokens import TOKEN_ALGORITHM

_CACHED: Final = {"cache-control": "public, max-age=300"}

_TOKEN_PARAMETERS: Final = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"const": "client_credentials"},
        "client_id": {"type": "string"},
        "client_secret": {"type": "string"},
        "scope": {"const": SCOPE},
    },
}
_TOKEN_BODY: Final = {
    "required": True,
    "content": {
        media_type: {"schema": _TOKEN_PARAMETERS}
        for media_type in ("application/x-www-form-urlencoded", "application/json")
    },
}

routes: Final = APIRouter(tags=["auth service"], responses=refused_with(TokenRefusal))


@routes.get(f"{REALM}/.well-known/openid-configuration")
async def discovery(registry: TheRegistry) -> JSONResponse:
    """Tell where keys and tokens are."""
    issuer = registry.auth.issuer
    url = issuer.removesuffix(REALM)
    document: dict[str, Any] = {
        "issuer": issuer,
        "token_endpoint": f"{url}{TOKEN_PATH}",
        "jwks_uri": f"{url}{JWKS_PATH}",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [TOKEN_ALGORITHM],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": [SCOPE],
        "claims_supported": ["iss", "sub", "azp", "participantId", "clientId", "roles", "scope"],
    }
    return JSONResponse(document, headers=_CACHED)


@routes.get(JWKS_PATH, response_model=JsonWebKeySet)
async def keys(registry: TheRegistry) -> JSONResponse:
    """Return the keys that tokens are verified with: the one that signs, and those of tokens not yet expired."""
    return JSONResponse(as_json(await registry.auth.key_set()), headers=_CACHED)


@routes.post(TOKEN_PATH, openapi_extra={"requestBody": _TOKEN_BODY})
async def token(request: Request, registry: TheRegistry) -> JSONResponse:
    """Issue a token to a client for its credentials (RFC 6749 s4.4), in a form or in JSON, or by HTTP Basic."""
    media_types, authorizations = (request.headers.getlist(name) for name in ("content-type", "authorization"))
    if len(media_types) > 1 or len(authorizations) > 1:
        raise invalid_request("A header is repeated; send each once.")
    token_request = read_token_request("".join(media_types), await request.body(), next(iter(authorizations), None))
    address = request.client.host if request.client else ""
    issued = await registry.auth.issue(token_request, address, shown_certificate(request))
    content = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    }
    return JSONResponse(content, headers={**NO_STORE, "pragma": "no-cache"})
