"""The options of `sign` and `verify` that only one profile has, and what is made of them."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sandbox.cli.inputs import PUBLIC_KEY, read_text
from sandbox.errors import SandboxError
from sandbox.offline import Beside, issuer_of
from shared.node.settings import dialect_named
from shared.protocol.participants import Dialect, EnvelopeMember
from shared.protocol.profiles import Profile, Style
from shared.protocol.signing import KeyMaterialError

Member = Annotated[
    EnvelopeMember | None,
    typer.Option(
        help="v3: how the signed header is called; OCEN says header, RFC 7515 protected.", show_default="header"
    ),
]


class DialectChoice(StrEnum):
    """How a peer signs, as `--dialect` has it."""

    STRICT = Dialect.STRICT.value
    AUTHSTARTER = Dialect.AUTHSTARTER.value
    RFC = "rfc"  # of former releases; `dialect_named` takes it for strict, and says so


DialectName = Annotated[
    DialectChoice | None,
    typer.Option("--dialect", metavar="[strict|authstarter]", help="v4: how the peer signs.", show_default="strict"),
]
Signature = Annotated[str | None, typer.Option(metavar="HEADER", help="v4: the value of the HTTP header Signature.")]
Token = Annotated[str | None, typer.Option(help="v4: the access token, to judge it as well.")]
IssuerKey = Annotated[Path | None, typer.Option(help="v4: the Auth Service's public key: JWK, JWK set or PEM.")]
IssuerUrl = Annotated[
    str | None, typer.Option("--issuer", metavar="URL", help="v4: the Auth Service, as the token has it in iss.")
]


def style_of(profile: Profile, member: EnvelopeMember | None, dialect: DialectChoice | None) -> Style:
    """Return how a message of the profile is dressed.

    Raises:
        SandboxError: an option of another profile was given.
    """
    if profile.wants_token:
        _refuse({"--member": member}, profile)
        return dialect_named(dialect or Dialect.STRICT)
    _refuse({"--dialect": dialect}, profile)
    return member or EnvelopeMember.HEADER


def beside_of(
    profile: Profile, signature: str | None, token: str | None, issuer_key: Path | None, issuer: str | None
) -> Beside:
    """Return what comes with a body in HTTP headers.

    Raises:
        SandboxError: an option of another profile was given, or a token without its issuer or the reverse.
    """
    given = {"--signature": signature, "--token": token, "--issuer-key": issuer_key, "--issuer": issuer}
    if not profile.wants_token:
        _refuse(given, profile)
    if token is None and issuer_key is None and issuer is None:
        return Beside(signature)
    if token is None or issuer_key is None or issuer is None:
        raise SandboxError("--token, --issuer-key and --issuer go together: whose token it is is judged with all three")
    try:
        return Beside(signature, token, issuer_of(read_text(issuer_key, PUBLIC_KEY), issuer, token))
    except KeyMaterialError as error:
        raise SandboxError(f"{issuer_key}: {error}") from error


def demand_signature(profile: Profile, signature: str | None, style: Style, *, ack: bool) -> None:
    """Refuse to judge a body of OCEN 4.0 without its signature; an official starter need not sign its acks (C15).

    Raises:
        SandboxError: there is none, or an empty one.
    """
    may_be_unsigned = signature is None and ack and style is Dialect.AUTHSTARTER
    if profile.wants_token and not (signature or "").strip() and not may_be_unsigned:
        raise SandboxError(f"--profile {profile.name} needs --signature HEADER")


def _refuse(options: Mapping[str, object], profile: Profile) -> None:
    for name, value in options.items():
        if value is not None:
            raise SandboxError(f"{name} is not for {profile.name}: leave it out, or choose another --profile")
