"""Reading a request for a token: what the client asks for and who it says it is. Pure (RFC 6749 s2.3.1, s3.2, s4.4.2).

The API description of OCEN has a JSON body, its own starter and RFC 6749 a form: both are read.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from registry_app.auth.errors import OAuthError, invalid_client, invalid_request
from shared.protocol.encoding import EncodingError, parse_json_object

SCOPE: Final = "openid"
"""The scope that there is, and that a request without one gets."""

MOST_PARAMETERS: Final = 50

_CREDENTIAL: Final = re.compile(r"[\x20-\x7E]{1,256}")
_SCOPES: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*")


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request by client credentials; `by_header` tells that they came in the header Authorization."""

    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    by_header: bool


def read_token_request(media_type: str, body: bytes, authorization: str | None) -> TokenRequest:
    """Read a request: its media type (of Content-Type), its body, and its header Authorization if it has one.

    Raises:
        OAuthError: it is malformed, asks for another grant or scope, or names no client.
    """
    parameters = _parameters(media_type.partition(";")[0].strip().lower(), body)
    grant_type = parameters.get("grant_type")
    if grant_type is None:
        raise invalid_request("grant_type is missing; send client_credentials.")
    if grant_type != "client_credentials":
        raise OAuthError("unsupported_grant_type", "Only the grant type client_credentials is served.")
    client_id, secret = _credentials(parameters, authorization)
    return TokenRequest(client_id, secret, _scope(parameters.get("scope", SCOPE)), authorization is not None)


def _parameters(media_type: str, body: bytes) -> dict[str, str]:
    """Return the parameters that have a value; those without one count as omitted (RFC 6749 s3.2)."""
    if media_type == "application/x-www-form-urlencoded":
        pairs = _form(body)
    elif media_type == "application/json":
        pairs = _json(body)
    else:
        raise invalid_request("The Content-Type has to be application/x-www-form-urlencoded or application/json.")
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise invalid_request("A parameter is repeated; send each once.")
    return {name: value for name, value in parameters.items() if value}


def _form(body: bytes) -> list[tuple[str, str]]:
    try:
        text = body.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
    except ValueError as error:
        raise invalid_request("The body is no form of UTF-8 parameters, each percent-encoded.") from error


def _json(body: bytes) -> list[tuple[str, str]]:
    try:
        members = parse_json_object(body, most_values=MOST_PARAMETERS)
    except EncodingError as error:
        raise invalid_request("The body is no JSON object with each member once.") from error
    known = {name: members[name] for name in ("grant_type", "client_id", "client_secret", "scope") if name in members}
    if any(not isinstance(value, str | None) for value in known.values()):
        raise invalid_request("grant_type, client_id, client_secret and scope have to be strings.")
    return [(name, value or "") for name, value in known.items()]


def _credentials(parameters: Mapping[str, str], authorization: str | None) -> tuple[str, str]:
    client_id, secret = parameters.get("client_id"), parameters.get("client_secret")
    if authorization is not None:
        in_header = _basic(authorization)
        if secret is not None or client_id not in (None, in_header[0]):
            raise invalid_request("Credentials stand in the header Authorization and in the body; use one of the two.")
        return in_header
    if client_id is None or secret is None:
        raise invalid_client("client_id and client_secret are needed, in the body or by HTTP Basic.", by_header=False)
    return _checked(client_id, secret, by_header=False)


def _basic(authorization: str) -> tuple[str, str]:
    """Read HTTP Basic (RFC 7617); id and secret are form-encoded within it (RFC 6749 s2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("ascii")
        client_id, separator, secret = text.partition(":")
        if scheme.lower() != "basic" or not separator:
            raise ValueError(scheme)
        return _checked(unquote_plus(client_id), unquote_plus(secret), by_header=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_client("The header Authorization is no HTTP Basic with id and secret.", by_header=True) from error


def _checked(client_id: str, secret: str, *, by_header: bool) -> tuple[str, str]:
    if not _CREDENTIAL.fullmatch(client_id) or not _CREDENTIAL.fullmatch(secret):
        raise invalid_client("The client is not known, or the secret is another one.", by_header=by_header)
    return client_id, secret


def _scope(text: str) -> str:
    if not _SCOPES.fullmatch(text) or set(text.split(" ")) != {SCOPE}:
        raise OAuthError("invalid_scope", f"The only scope is {SCOPE}; leave it out or send it.")
    return SCOPE
