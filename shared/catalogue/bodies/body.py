"""What the bodies of all messages are made of, whatever their version."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


class Body(BaseModel):
    """A part of a payload. Unknown members are kept, never refused; member names are camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", frozen=True)


Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x20-\x7E]+$")]
"""An opaque id: 1 to 64 printable ASCII characters, compared as it is."""

ShortText = Annotated[str, StringConstraints(max_length=512, pattern=r"^[^\x00]*$")]


def among(values: Sequence[str]) -> tuple[AfterValidator, WithJsonSchema]:
    """Return annotations that limit a text to some values, or an enumeration to some of its members."""
    expected = ", ".join(f"'{value}'" for value in values[:-1]) + f" or '{values[-1]}'"
    known = frozenset(values)

    def check(value: str) -> str:
        if value not in known:
            raise PydanticCustomError("enum", "Input should be {expected}", {"expected": expected})
        return value

    return AfterValidator(check), WithJsonSchema({"type": "string", "enum": [str(value) for value in values]})
