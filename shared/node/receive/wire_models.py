"""Messages and acks as they travel, as models from which FastAPI writes the OpenAPI document.

In service nothing is parsed with them: the middleware has judged a message before its route sees it.
"""

from functools import cache
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, Json, create_model
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from shared.protocol.checks.opening import MAX_KID_LENGTH
from shared.protocol.encoding import base64url_decode
from shared.protocol.problems import Problem

T = TypeVar("T")

_NOT_ANSWERED: Final = frozenset({Problem.VERSION, Problem.TIMED_OUT})
"""Codes that OCEN has published and that no answer of ours carries: any version is taken, a slow request is dropped."""

ANSWERED: Final = sorted(set(Problem) - _NOT_ANSWERED, key=lambda problem: (problem.status, problem.code))
"""What a message may be refused for, by HTTP status and code."""

_BASE64URL: Any = Field(json_schema_extra={"contentEncoding": "base64url"})

Encoded = Annotated[Json[T], BeforeValidator(base64url_decode), _BASE64URL]
"""JSON in base64url without padding, and how JSON Schema says it (2020-12, s8 of its validation vocabulary)."""


def _absent() -> None:
    """Make the default None of a member that the schema shows without a default."""


class SignedHeader(BaseModel):
    """RFC 7515 s4. No other member is allowed."""

    model_config = ConfigDict(extra="forbid")

    alg: Literal["RS512"]
    kid: Annotated[str, Field(min_length=1, max_length=MAX_KID_LENGTH)]
    typ: str | SkipJsonSchema[None] = Field(default_factory=_absent)
    cty: str | SkipJsonSchema[None] = Field(default_factory=_absent)


class SignedEnvelope(BaseModel, Generic[T]):
    """A flattened JWS (RFC 7515 s7.2.2) whose signed header is named `header` or `protected`, never both."""

    model_config = ConfigDict(
        json_schema_extra={
            "description": "A flattened JWS (RFC 7515 s7.2.2). Its signed header has one of two names, never both.",
            "oneOf": [
                {"title": "signed header as header", "required": ["header"]},
                {"title": "signed header as protected", "required": ["protected"]},
            ],
            "not": {"type": "object", "required": ["signatures"]},
        }
    )

    payload: Encoded[T]
    header: Encoded[SignedHeader] | SkipJsonSchema[None] = Field(default_factory=_absent)
    protected: Encoded[SignedHeader] | SkipJsonSchema[None] = Field(default_factory=_absent)
    signature: Annotated[str, _BASE64URL, Field(description="RFC 7515 s7.2.2, signature.")]


class _Ack(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    trace_id: Annotated[str, Field(description="That of the message; empty if it could not be read.")]
    timestamp: AwareDatetime


class AcceptedAck(_Ack):
    """The message is accepted and will survive a power cut."""

    error: Literal["0"]


class WrappedAck(BaseModel, Generic[T]):
    """The ack of some messages of OCEN 4.0."""

    ack: T


class _RefusedAck(_Ack):
    detail: dict[str, str] | SkipJsonSchema[None] = Field(
        default_factory=_absent, description="Why; in sandbox mode only."
    )


@cache
def refused_ack(status: int) -> type[BaseModel]:
    """Return the model of an ack that refuses with this HTTP status."""
    problems = [problem for problem in ANSWERED if problem.status == status]
    codes: Any = Literal[tuple(problem.code for problem in problems)]
    meanings = " ".join(f"{problem.code}: {problem.meaning}" for problem in problems)
    return create_model(f"Refused{status}", __base__=_RefusedAck, __doc__=meanings, error=(codes, ...))
