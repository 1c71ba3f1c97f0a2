"""The bodies of v3 applications, consents and offers: every shape of the documents is taken, and one is sent."""

import json
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

import shared.catalogue
from shared.catalogue.bodies.consent import ConsentFetchType, ConsentStatus
from shared.catalogue.bodies.v3 import consent, loan_application, offers, parts
from shared.catalogue.bodies.v3.message import Message
from shared.catalogue.bodies.values import moment_of
from shared.protocol.encoding import dump_json, parse_json_object

EXAMPLES = Path(shared.catalogue.__file__).parent / "examples" / "v3"
METADATA = {"version": "1.0", "timestamp": "2031-03-04T05:06:07.890Z", "traceId": "trace-1", "orgId": "Lsp-417"}
BODIES: dict[str, type[Message]] = {
    body.__name__: body
    for body in (
        loan_application.CreateLoanApplicationsRequest,
        loan_application.CreateLoanApplicationsResponse,
        consent.ConsentHandleRequest,
        consent.ConsentHandleResponse,
        consent.ConsentStatusRequest,
        consent.ConsentStatusResponse,
        offers.GenerateOffersRequest,
        offers.GenerateOffersResponse,
    )
}
CREATE, CREATED = "CreateLoanApplicationsRequest", "CreateLoanApplicationsResponse"
HANDLE, HANDLED = "ConsentHandleRequest", "ConsentHandleResponse"
STATUS, TOLD = "ConsentStatusRequest", "ConsentStatusResponse"
GENERATE, OFFERED = "GenerateOffersRequest", "GenerateOffersResponse"
APPLICATION = "loanApplications.0"
AMOUNT = f"{APPLICATION}.terms.requestedAmount"
OFFER = f"{APPLICATION}.offers.0"
PLAN = f"{OFFER}.repayment.plans.0"
RATE = f"{OFFER}.terms.interestRate"

each_body = pytest.mark.parametrize("name", BODIES)


def complete(name: str) -> dict[str, Any]:
    """The example of a message with what the sender's node adds to it."""
    example = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    return {"metadata": dict(METADATA), "requestId": "request-1", **example}


def changed(name: str, place: str, value: object) -> dict[str, Any]:
    """The example with one member changed; with `...` it is left out."""
    document = deepcopy(complete(name))
    *way, member = place.split(".")
    target: Any = document
    for part in way:
        target = target[int(part)] if isinstance(target, list) else target[part]
    if value is ...:
        del target[member]
    else:
        target[int(member) if isinstance(target, list) else member] = value
    return document


def parsed(name: str, document: Any) -> Any:
    """The body, read as a node reads it: from bytes."""
    return BODIES[name].model_validate(parse_json_object(dump_json(document)))


def written(body: BaseModel) -> Any:
    return body.model_dump(mode="json", by_alias=True, exclude_unset=True)


@each_body
def test_the_example_of_a_message_fits_it_and_is_what_would_be_sent(name: str) -> None:
    assert written(parsed(name, complete(name))) == complete(name)


@each_body
def test_members_that_are_not_known_are_kept(name: str) -> None:
    document = complete(name) | {"note": {"a": [1, None]}}
    assert written(parsed(name, document)) == document


def test_the_offers_of_the_example_add_up() -> None:
    for offer in parsed(OFFERED, complete(OFFERED)).loan_applications[0].offers:
        terms, paid_out, paid_back = offer.terms, offer.disbursement.plans[0], offer.repayment.plans[0]
        assert terms.total_amount == terms.sanctioned_amount + terms.interest_amount
        assert paid_out.total_amount == terms.sanctioned_amount - terms.charges.processing.data.amount
        assert paid_back.total_amount == terms.total_amount == paid_back.principal + paid_back.interest_amount
        assert paid_back.instalments == terms.tenure.duration


@pytest.mark.parametrize(
    ("name", "place"),
    [
        *((CREATE, place) for place in ("metadata.orgId", "loanApplications", f"{APPLICATION}.createdDate")),
        *((CREATE, f"{APPLICATION}.{member}") for member in ("loanApplicationId", "type", "borrower", "collaterals")),
        *((CREATE, f"{APPLICATION}.{member}") for member in ("guarantors", "applicants", "terms")),
        (CREATE, AMOUNT),
        (CREATE, f"{APPLICATION}.borrower.contactDetails.0.phone"),
        *((CREATED, place) for place in ("response.error", f"{APPLICATION}.loanApplicationId")),
        *((HANDLE, place) for place in ("loanApplicationIds", "consent.consentFetchType", "consent.vua")),
        (HANDLED, "consent.consentHandle"),
        (STATUS, "consent.consentHandle"),
        (TOLD, "consent.consentStatus"),
        (GENERATE, "loanApplicationIds"),
        *((OFFERED, f"{APPLICATION}.{member}") for member in ("loanApplicationId", "loanApplicationStatus")),
        *((OFFERED, f"{OFFER}.{member}") for member in ("id", "validTill", "terms", "disbursement", "repayment")),
        *((OFFERED, f"{PLAN}.{member}") for member in ("id", "automatic", "scheduleType", "totalAmount")),
        (OFFERED, f"{PLAN}.noOfInstallments"),
        (OFFERED, f"{OFFER}.terms.charges.bounce.data"),
    ],
)
def test_each_message_requires_what_it_cannot_do_without(name: str, place: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        parsed(name, changed(name, place, ...))
    assert [error["type"] for error in refusal.value.errors()] == ["missing"]


@pytest.mark.parametrize(("name", "member"), [(HANDLED, "consentHandle"), (TOLD, "consentStatus")])
def test_an_answer_that_reports_an_error_needs_no_more(name: str, member: str) -> None:
    document = changed(name, f"consent.{member}", ...) | {"response": {"error": "GEN5004"}}
    assert parsed(name, document).response.error == "GEN5004"


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        (CREATE, "loanApplications", []),
        (CREATE, f"{APPLICATION}.type", "CREDIT_CARD"),
        (CREATE, f"{APPLICATION}.collaterals", [{"type": "GST_INVOICE"}]),
        (CREATE, f"{APPLICATION}.terms.tenure", {"duration": "3", "unit": "WEEK"}),
        *((CREATE, AMOUNT, value) for value in (-1, "0.001", "1e5", "", "NaN", True, None, 10**14)),
        *((CREATE, f"{APPLICATION}.createdDate", value) for value in ("18-13-2020", "1-1-2031", "2031/03/04", "", 5)),
        (CREATED, f"{APPLICATION}.loanApplicationStatus", "CREATED"),
        *((HANDLE, "loanApplicationIds", value) for value in ([], ["a"] * 101, [""], "APPL-1", None)),
        *((HANDLE, "consent.consentFetchType", value) for value in ("", "WEEKLY", None)),
        *((HANDLE, "consent.vua", value) for value in ("", None)),
        (STATUS, "consent.consentHandle", ""),
        (TOLD, "consent.consentStatus", "SUCCESS"),
        (OFFERED, f"{APPLICATION}.loanApplicationStatus", "ACTION  REQUIRED"),
        (OFFERED, f"{APPLICATION}.offers", "none"),
        *((OFFERED, RATE, value) for value in ("12.00001", -1, "", True)),
        *((OFFERED, f"{PLAN}.noOfInstallments", value) for value in ("0", "1.5", "three")),
        (OFFERED, f"{PLAN}.frequency", "DAILY"),
    ],
)
def test_a_value_that_its_type_does_not_allow_is_refused(name: str, place: str, value: object) -> None:
    with pytest.raises(ValidationError):
        parsed(name, changed(name, place, value))


@pytest.mark.parametrize(
    ("member", "item"),
    [
        ("offers", complete(OFFERED)["loanApplications"][0]["offers"][0]),
        ("rejectionDetails", {"reason": "FRAUD", "description": "on a list"}),
        (
            "actionRequired",
            {"actionType": "OTHER", "description": "call", "reference": {"object": "documents", "value": "D-1"}},
        ),
    ],
)
def test_what_the_schema_has_as_an_object_and_the_samples_as_an_array_is_taken_as_either(
    member: str, item: dict[str, Any]
) -> None:
    for sent, sent_back in (item, [item]), ([item], [item]), ([item, item], [item, item]), (None, []), ([], []):
        body = parsed(OFFERED, changed(OFFERED, f"{APPLICATION}.{member}", sent))
        assert written(body)["loanApplications"][0][member] == sent_back


@pytest.mark.parametrize("name", [CREATED, OFFERED])
def test_both_spellings_of_action_required_are_read_and_the_one_with_a_blank_is_sent(name: str) -> None:
    for spelling in "ACTION REQUIRED", "ACTION_REQUIRED":
        body = parsed(name, changed(name, f"{APPLICATION}.loanApplicationStatus", spelling))
        assert body.loan_applications[0].loan_application_status is parts.LoanApplicationStatus.ACTION_REQUIRED
        assert written(body)["loanApplications"][0]["loanApplicationStatus"] == "ACTION REQUIRED"


@pytest.mark.parametrize("value", [..., None])
def test_an_application_whose_status_is_not_given_is_being_processed(value: object) -> None:
    body = parsed(CREATED, changed(CREATED, f"{APPLICATION}.loanApplicationStatus", value))
    assert body.loan_applications[0].loan_application_status is parts.LoanApplicationStatus.PROCESSING


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("18-12-2020", "2020-12-17T18:30:00+00:00"),
        ("2020-12-18", "2020-12-17T18:30:00+00:00"),
        ("2020-12-18T00:00:00.000Z", "2020-12-18T00:00:00+00:00"),
        ("2020-12-18T05:30:00+05:30", "2020-12-18T00:00:00+00:00"),
    ],
)
def test_a_date_in_any_of_three_forms_stays_as_it_was_written(text: str, moment: str) -> None:
    for name, place in (CREATE, f"{APPLICATION}.createdDate"), (OFFERED, f"{OFFER}.validTill"):
        assert written(parsed(name, changed(name, place, text))) == changed(name, place, text)
    assert moment_of(parts.as_iso_date(text)).isoformat() == moment


@pytest.mark.parametrize("spelling", ["noOfInstallments", "noOfInstallment"])
def test_the_number_of_instalments_is_read_in_both_spellings(spelling: str) -> None:
    document = changed(OFFERED, f"{PLAN}.noOfInstallments", ...)
    document["loanApplications"][0]["offers"][0]["repayment"]["plans"][0][spelling] = "6"
    assert parsed(OFFERED, document).loan_applications[0].offers[0].repayment.plans[0].instalments == 6


@pytest.mark.parametrize("sent", ["12.3456", Decimal("12.3456")])
def test_amounts_and_rates_are_exact_whether_they_came_as_numbers_or_as_texts(sent: object) -> None:
    terms = parsed(OFFERED, changed(OFFERED, RATE, sent)).loan_applications[0].offers[0].terms
    assert (terms.interest_rate, terms.requested_amount) == (Decimal("12.3456"), Decimal("250000.00"))


@pytest.mark.parametrize(("name", "place", "value"), [(CREATE, AMOUNT, 0.1), (OFFERED, RATE, 12.5)])
def test_a_number_in_binary_floating_point_is_refused(name: str, place: str, value: float) -> None:
    with pytest.raises(ValidationError, match="not a decimal number"):
        BODIES[name].model_validate(changed(name, place, value))


def test_a_number_that_the_callback_could_not_repeat_is_refused_at_once() -> None:
    document = changed(CREATE, f"{APPLICATION}.terms.interestRate", Decimal("6.12345678901234567890"))
    with pytest.raises(ValidationError, match="more digits than a JSON reader keeps"):
        BODIES[CREATE].model_validate(document)


@pytest.mark.parametrize("member", ["vua", "consentFetchType", "consentAggregationId"])
def test_an_empty_text_where_the_schema_has_it_as_default_counts_as_absent(member: str) -> None:
    document = complete(STATUS)
    document["consent"][member] = ""
    assert written(parsed(STATUS, document))["consent"][member] is None


@pytest.mark.parametrize("member", ["collaterals", "guarantors", "applicants"])
def test_of_many_wrong_items_the_first_is_told_and_no_time_spent_on_the_rest(member: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        parsed(CREATE, changed(CREATE, f"{APPLICATION}.{member}", [1] * 5_000))
    assert refusal.value.error_count() == 1


SAMPLES = [*BODIES.keys() - {TOLD}, f"assembled/{OFFERED}"]


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_the_published_samples_fit_their_messages(documents: Path, sample: str) -> None:
    document = parse_json_object((documents / "examples" / "v3" / f"{sample}.json").read_bytes())
    assert written(BODIES[sample.rpartition("/")[2]].model_validate(document)) == document


TYPES: dict[type[BaseModel], str] = {
    loan_application.LoanApplication: "LoanApplicationCreate (inline)",
    loan_application.Borrower: "borrower",
    loan_application.Collateral: "collateral",
    loan_application.LoanTerms: "loanterms",
    consent.Consent: "consent",
    consent.LspInfo: "lspinfo",
    offers.OfferedApplication: "loanOffer",
    offers.Offer: "offer",
    offers.OfferTerms: "loanterms",
    offers.Charges: "charges",
    offers.Charge: "chargedetails",
    offers.PaymentPlan: "paymentplan",
    offers.AccountDetails: "accountdetails",
    offers.Disbursement: "disbursement",
    offers.Repayment: "repayment",
    offers.LoanAgreement: "loanAgreement",
    parts.RejectionDetail: "rejectiondetail",
    parts.ActionRequired: "actionrequired",
    parts.Reference: "reference",
}
"""Under which name the documents describe a part."""


def described(documents: Path, name: str) -> dict[str, Any]:
    """The fields of a part, by name."""
    part = json.loads((documents / "types.json").read_text("utf-8"))["v3"][name]
    return {field["name"]: field for field in part["fields"]}


@pytest.mark.parametrize("model", TYPES, ids=lambda model: model.__name__)
def test_what_is_typed_has_a_documented_name_and_the_documented_values(documents: Path, model: type[BaseModel]) -> None:
    fields = described(documents, TYPES[model])
    undocumented = {"description"} if model is offers.Charge else {"loanType"}
    for field in model.model_fields.values():
        assert field.alias in {*fields, *undocumented}
        for enumeration in enumerations(field.annotation):
            values = fields[str(field.alias)]["enum"]
            assert {value for value in values if not value.startswith("<")} == set(enumeration), field.alias


def test_a_rate_is_of_what_the_documents_say_and_an_acceptance_of_a_consent_too(documents: Path) -> None:
    data = {field["name"]: field for field in described(documents, "chargedetails")["data"]["fields"]}
    assert {field.alias for field in offers.ChargeData.model_fields.values()} <= set(data)
    assert set(data["applicableParameter"]["enum"]) == set(offers.ApplicableParameter)
    fields = described(documents, "consent")
    assert set(fields) == {field.alias for field in consent.Consent.model_fields.values()}
    assert set(fields["consentFetchType"]["enum"]) == set(ConsentFetchType)
    assert set(fields["consentStatus"]["enum"]) == set(ConsentStatus)


def enumerations(annotation: Any) -> Iterator[type[StrEnum]]:
    """The enumerations that an annotation is made of."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        yield annotation
    for argument in get_args(annotation):
        yield from enumerations(argument)
