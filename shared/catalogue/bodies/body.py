"""What the bodies of all messages are made of, whatever their version."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel


class Body(BaseModel):
    """A part of a payload. Unknown members are kept, never refused; member names are camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", frozen=True)


Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x20-\x7E]+$")]
"""An opaque id: 1 to 64 printable ASCII characters, compared as it is."""

ShortText = Annotated[str, StringConstraints(max_length=512, pattern=r"^[^\x00]*$")]
