"""`sign` and `verify`: sign and verify messages offline, without a node."""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sandbox.cli.inputs import PRIVATE_KEY, PUBLIC_KEY, STANDARD_INPUT, read_bytes, read_text
from sandbox.cli.options import DialectChoice
from sandbox.cli.screen import FAILED, PASSED, facts, say, screen, step_table
from sandbox.errors import SandboxError
from sandbox.offline import HttpParts, Judgement, holder_of, issuer_of, message_named, profile_named, verify_ack
from sandbox.offline import sign as sign_payload
from sandbox.offline import verify as verify_message
from shared.clock import SystemClock
from shared.node.settings import dialect_named
from shared.protocol.detached import SIGNATURE_HEADER
from shared.protocol.encoding import EncodingError, parse_timestamp
from shared.protocol.participants import Dialect, EnvelopeMember
from shared.protocol.profiles import Profile, SignatureVariant
from shared.protocol.signing import KeyMaterialError
from shared.protocol.verification import Outcome

Judged = Annotated[Path, typer.Argument(help="The envelope; in v4 the body.", show_default="standard input")]
Kid = Annotated[str | None, typer.Option(help="The kid of the key.", show_default="the JWK's own; without one, any")]
ProfileName = Annotated[str, typer.Option("--profile", envvar="OCEN_PROFILE", help="How messages are signed.")]
Member = Annotated[
    EnvelopeMember | None,
    typer.Option(
        help="v3: how the signed header is called; OCEN says header, RFC 7515 protected.", show_default="header"
    ),
]


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


def sign(
    *,
    key: Annotated[Path, typer.Option(help="Private RSA key in PEM, 2048 bits or more.")],
    kid: Annotated[str, typer.Option(help="The kid under which your counterparty has its public half.")],
    file: Annotated[Path, typer.Argument(help="The payload.", show_default="standard input")] = STANDARD_INPUT,
    profile: ProfileName = "v3",
    member: Member = None,
    dialect: DialectName = None,
) -> None:
    """Sign a payload and print the envelope, or in v4 the HTTP header Signature.

    Exactly the bytes that come in are signed, white space and a line break
    at the end included. They have to be one strict JSON object. Nothing is
    added to them, no metadata either.

    [cyan]ocen-sandbox sign --key my.key --kid my-kid < payload.json > envelope.json[/cyan]
    [cyan]ocen-sandbox sign --profile v4 --key my.key --kid my-kid < body.json[/cyan]
    """
    payload, material, chosen = read_bytes(file), read_text(key, PRIVATE_KEY), profile_named(profile)
    try:
        body, headers = sign_payload(payload, chosen, material, kid, _variant_of(chosen, member, dialect))
    except KeyMaterialError as error:
        raise SandboxError(f"{key}: {error}") from error
    sys.stdout.buffer.write((headers[SIGNATURE_HEADER].encode() if headers else body) + b"\n")
    sys.stdout.flush()


def verify(
    *,
    key: Annotated[Path, typer.Option(help="Public key: PEM, X.509 certificate in PEM, JWK or JWK set.")],
    file: Judged = STANDARD_INPUT,
    body: Annotated[Path | None, typer.Option(help="v4: the body, in place of FILE.")] = None,
    profile: ProfileName = "v3",
    kid: Kid = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Judge freshness at this RFC 3339 time.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Judge freshness at this moment.")] = False,
    message: Annotated[str | None, typer.Option(metavar="NAME", help="Judge the content as this message's.")] = None,
    ack: Annotated[bool, typer.Option("--ack", help="The envelope is an acknowledgement.")] = False,
    signature: Signature = None,
    dialect: DialectName = None,
    token: Token = None,
    issuer_key: IssuerKey = None,
    issuer: IssuerUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Verify an envelope, check by check.

    What needs a connection, a directory or a journal is not judged, and says
    so. Exit status 0: all others hold; 1: one fails; 2: wrong input.

    [cyan]ocen-sandbox verify --key public.pem < envelope.json[/cyan]
    [cyan]ocen-sandbox verify --key jwks.json --kid my-kid --now envelope.json[/cyan]
    [cyan]ocen-sandbox verify --key public.pem --ack ack.json[/cyan]
    [cyan]ocen-sandbox verify --profile v4 --key jwk.json --signature HEADER --body body.json[/cyan]
    """
    chosen, judge = profile_named(profile), _judge(_moment(at, now), message, ack=ack)
    variant = _variant_of(chosen, None, dialect)
    http = _http_parts_of(chosen, signature, token, issuer_key, issuer)
    _check_signature_given(chosen, signature, variant, ack=ack)
    try:
        material = read_text(key, PUBLIC_KEY)
        holder = holder_of(material, chosen, kid, variant if isinstance(variant, Dialect) else Dialect.STRICT)
        judged = judge(read_bytes(body or file), chosen, holder, http=http)
    except KeyMaterialError as error:
        raise SandboxError(f"{key}: {error}") from error
    _print(judged, as_json=as_json)
    return 0 if judged.verification.passed else 1


def _judge(at: datetime | None, message: str | None, *, ack: bool) -> Callable[..., Judgement]:
    """Return the function that verifies: an ack, or a message, at this time and of this type if they are given."""
    message_type = message_named(message) if message is not None else None
    if not ack:
        return partial(verify_message, message_type=message_type, at=at)
    if message_type is not None or at is not None:
        raise SandboxError("--ack goes without --message, --at and --now: an ack has no type and is not judged by time")
    return verify_ack


def _moment(at: str | None, now: bool) -> datetime | None:
    if at is not None and now:
        raise SandboxError("--at and --now are two times: give one of them")
    if now:
        return SystemClock().now()
    try:
        return parse_timestamp(at) if at is not None else None
    except EncodingError as error:
        raise SandboxError(f"--at {at}: {error}; write it like 2018-12-06T11:39:57.153Z") from error


def _variant_of(profile: Profile, member: EnvelopeMember | None, dialect: DialectChoice | None) -> SignatureVariant:
    """Return how a message of the profile is signed."""
    if profile.wants_token:
        _refuse({"--member": member}, profile)
        return dialect_named(dialect or "strict")
    _refuse({"--dialect": dialect}, profile)
    return member or EnvelopeMember.HEADER


def _http_parts_of(
    profile: Profile, signature: str | None, token: str | None, issuer_key: Path | None, issuer: str | None
) -> HttpParts:
    """Return what the HTTP headers add to a body."""
    given = {"--signature": signature, "--token": token, "--issuer-key": issuer_key, "--issuer": issuer}
    if not profile.wants_token:
        _refuse(given, profile)
    if token is None and issuer_key is None and issuer is None:
        return HttpParts(signature)
    if token is None or issuer_key is None or issuer is None:
        raise SandboxError("--token, --issuer-key and --issuer go together: whose token it is is judged with all three")
    try:
        return HttpParts(signature, token, issuer_of(read_text(issuer_key, PUBLIC_KEY), issuer, token))
    except KeyMaterialError as error:
        raise SandboxError(f"{issuer_key}: {error}") from error


def _check_signature_given(profile: Profile, signature: str | None, variant: SignatureVariant, *, ack: bool) -> None:
    """Refuse to judge a body of OCEN 4.0 without its signature; an official starter need not sign its acks (P26)."""
    may_be_unsigned = signature is None and ack and variant is Dialect.AUTHSTARTER
    if profile.wants_token and not (signature or "").strip() and not may_be_unsigned:
        raise SandboxError(f"--profile {profile.name} needs --signature HEADER")


def _refuse(options: Mapping[str, object], profile: Profile) -> None:
    for name, value in options.items():
        if value is not None:
            raise SandboxError(f"{name} is not for {profile.name}: leave it out, or choose another --profile")


def _print(judged: Judgement, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(judged.as_dict(), indent=2, ensure_ascii=False))
        return
    verification = judged.verification
    screen().print(step_table([step.as_dict() for step in verification.steps]))
    say()
    passed, left = judged.count(Outcome.PASSED), judged.count(Outcome.NOT_JUDGED)
    if verification.problem is None:
        line = Text(f"{PASSED} {passed} checks hold", style="bold green")
        say(line.append(f"; {left} cannot be judged here" if left else "", style="default"))
    else:
        line = Text(f"{FAILED} refused with {verification.problem.code}: {verification.problem.meaning}", "bold red")
        say(line.append(" The signature itself holds." if judged.signature_holds else "", style="default"))
    if judged.payload:
        rows = [("header", json.dumps(judged.header)), ("payload", judged.payload.decode(errors="replace"))]
        say(facts(rows))
