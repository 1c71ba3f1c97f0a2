"""Consent: the borrower lets the lender fetch data through an Account Aggregator (OCEN v3, Consent).

The published schema shares one consent block among the four messages and requires nothing in it. Each message here
requires what it cannot do without; a callback needs its member only if its response reports no error.
"""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.catalogue.bodies.body import Body, Identifier, ShortText
from shared.catalogue.bodies.consent import ConsentFetchType, ConsentStatus
from shared.catalogue.bodies.v3.message import Message, Response
from shared.catalogue.bodies.v3.parts import LoanApplicationIds
from shared.protocol.problems import SUCCESS


def _absent_if_empty(value: Any) -> Any:
    return None if value == "" else value


EmptyIsAbsent = BeforeValidator(_absent_if_empty)
"""The schema gives the empty text as default of three members, so it counts as absent."""


class LspInfo(Body):
    """By what the Account Aggregator recognises the LSP."""

    lsp_id: ShortText | None = None
    version: ShortText | None = None
    app_name: ShortText | None = None


class Consent(Body):
    """The consent block with everything optional, as the schema has it: what is not said is null, empty or absent.

    `vua` is the borrower's address at his Account Aggregator.
    """

    consent_fetch_type: Annotated[ConsentFetchType | None, EmptyIsAbsent] = None
    vua: Annotated[ShortText | None, EmptyIsAbsent] = None
    description: ShortText | None = None
    is_aggregation_enabled: bool | None = None
    consent_aggregation_id: Annotated[Identifier | None, EmptyIsAbsent] = None
    lsp_info: LspInfo | None = None
    consent_handle: Annotated[Identifier | None, EmptyIsAbsent] = None
    consent_status: ConsentStatus | None = None
    url: ShortText | None = None
    extensible_data: dict[str, Any] | None = None


class ConsentAskedFor(Consent):
    """The block that tells which consent is wanted, and of whom."""

    consent_fetch_type: ConsentFetchType
    vua: Annotated[ShortText, Field(min_length=1)]


class ConsentNamed(Consent):
    """The block that names a consent by its handle."""

    consent_handle: Identifier


class ConsentHandleRequest(Message):
    """The LSP asks the lender for a consent handle, for loan applications of one borrower."""

    loan_application_ids: LoanApplicationIds
    consent: ConsentAskedFor


class ConsentHandleResponse(Message):
    """The lender hands over the consent handle that the Account Aggregator has made."""

    response: Response
    consent: Consent

    @model_validator(mode="after")
    def _success_names_the_handle(self) -> Self:
        if self.response.error == SUCCESS and self.consent.consent_handle is None:
            raise _missing("consentHandle")
        return self


class ConsentStatusRequest(Message):
    """The LSP asks whether the borrower has given the consent."""

    consent: ConsentNamed


class ConsentStatusResponse(Message):
    """The lender tells how far the consent has come: READY, PENDING or FAILED."""

    response: Response
    consent: Consent

    @model_validator(mode="after")
    def _success_tells_the_status(self) -> Self:
        if self.response.error == SUCCESS and self.consent.consent_status is None:
            raise _missing("consentStatus")
        return self


def _missing(name: str) -> PydanticCustomError:
    return PydanticCustomError("missing", "Field required: consent.{name}, as response.error is 0", {"name": name})
