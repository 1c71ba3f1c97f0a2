"""The bodies of OCEN 4.0: what they take, what they refuse, and that they keep what they do not know."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from shared.catalogue.bodies.otp import OtpStatus
from shared.catalogue.bodies.v4.heartbeat import HeartbeatEventRequest, LoanDisbursementAnalytics
from shared.catalogue.bodies.v4.loan_acceptance import VerifyLoanAcceptanceRequest
from shared.catalogue.bodies.v4.loan_application import (
    BorrowerCategory,
    ContactType,
    CreateLoanApplicationsRequest,
    PrimaryIdType,
    TenureUnit,
)
from shared.catalogue.bodies.v4.message import LoanApplicationStatus, ResponseStatus
from shared.catalogue.table import CATALOGUE, example_of, find_message
from shared.protocol.encoding import dump_json, parse_json_object
from shared.protocol.messages import MessageType
from tests.catalogue.documents import changed, complete

MESSAGES = [message for message in CATALOGUE if message.version == "v4"]
CREATE, CREATED = "v4/CreateLoanApplicationsRequest", "v4/CreateLoanApplicationsResponse"
TRIGGER, TRIGGERED = "v4/TriggerLoanAcceptanceRequest", "v4/TriggerLoanAcceptanceResponse"
VERIFY, VERIFIED = "v4/VerifyLoanAcceptanceRequest", "v4/VerifyLoanAcceptanceResponse"
AMOUNT = "loanApplications.0.terms.requestedAmount"

each_message = pytest.mark.parametrize("message", MESSAGES, ids=[message.name for message in MESSAGES])


def parsed(key: str, document: Any) -> Any:
    """The body, read as a node reads it: from bytes."""
    return find_message(key).body.model_validate(parse_json_object(dump_json(document)))


def written(body: BaseModel) -> Any:
    return body.model_dump(by_alias=True, exclude_unset=True)


@each_message
def test_the_example_of_a_message_fits_it(message: MessageType) -> None:
    assert written(parsed(message.full_name, complete(message.full_name))) == complete(message.full_name)


@each_message
def test_an_example_shows_no_metadata_because_the_node_stamps_it(message: MessageType) -> None:
    assert not {"metadata", "requestId"} & example_of(message).keys()


@each_message
def test_members_that_are_not_known_are_kept(message: MessageType) -> None:
    document = complete(message.full_name) | {"note": {"a": [1, None]}}
    document["productData"]["channel"] = {"name": "app"}
    assert written(parsed(message.full_name, document)) == document


@pytest.mark.parametrize("spelling", ["productNetworkId", "networkId"])
@each_message
def test_the_network_of_a_product_may_be_spelled_either_way(message: MessageType, spelling: str) -> None:
    product = {"productId": "p", spelling: "n"}
    assert parsed(message.full_name, complete(message.full_name) | {"productData": product}).product_data.network == "n"


@pytest.mark.parametrize(
    ("product", "complaint"),
    [
        ({"productId": "p"}, "Field required: productNetworkId or networkId"),
        ({"productId": "p", "networkId": "n", "productNetworkId": "m"}, "productNetworkId and networkId differ"),
        ({"networkId": "n"}, "Field required"),
    ],
)
@each_message
def test_a_product_names_itself_and_one_network(message: MessageType, product: Any, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        parsed(message.full_name, complete(message.full_name) | {"productData": product})


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (CREATE, "metadata.requestId"),
        (CREATE, "productData"),
        (CREATE, "loanApplications"),
        *((CREATE, f"loanApplications.0.{name}") for name in ("createdDate", "loanApplicationId", "pledgedDocuments")),
        *((CREATE, f"loanApplications.0.{name}") for name in ("borrower", "guarantors", "applicants", "terms")),
        (CREATE, "loanApplications.0.borrower.primaryId"),
        (CREATE, "loanApplications.0.borrower.contactDetails.0.phone"),
        (CREATE, "loanApplications.0.terms.currency"),
        (CREATE, AMOUNT),
        (CREATED, "response.status"),
        (TRIGGER, "loanApplicationId"),
        (TRIGGER, "credBlock"),
        (TRIGGERED, "loanApplicationStatus"),
        (TRIGGERED, "credBlock.data.otpSessionKey"),
        (VERIFY, "credBlock.data.otp"),
        (VERIFY, "credBlock.data.otpSessionKey"),
        (VERIFIED, "credBlock"),
        (VERIFIED, "credBlock.data.status"),
    ],
)
def test_each_message_requires_what_it_cannot_do_without(key: str, place: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        parsed(key, changed(key, place, ...))
    assert refusal.value.errors()[0]["type"] == "missing"


@pytest.mark.parametrize(("key", "place"), [(TRIGGERED, "credBlock.data"), (VERIFIED, "credBlock")])
def test_an_answer_that_reports_an_error_needs_no_more(key: str, place: str) -> None:
    document = changed(key, place, ...) | {"response": {"status": "ERROR", "responseDetail": "out of order"}}
    assert parsed(key, document).response.status is ResponseStatus.ERROR


@pytest.mark.parametrize(
    ("key", "place", "value"),
    [
        (CREATE, "loanApplications", []),
        (CREATE, "loanApplications.0.loanApplicationStatus", "ACTION REQUIRED"),
        (CREATE, "loanApplications.0.pledgedDocuments", "none"),
        (CREATE, "loanApplications.0.borrower.primaryIdType", "VOTER"),
        (CREATE, "loanApplications.0.terms.tenure", {"duration": 3, "unit": "WEEK"}),
        (CREATE, "loanApplications.0.terms.tenure", {"duration": -1, "unit": "DAY"}),
        (CREATED, "response.responseDetail", "a" * 2049),
        (TRIGGER, "loanApplicationId", ""),
        (TRIGGER, "credBlock.type", "FACE"),
        (TRIGGERED, "loanApplicationStatus", "DONE"),
        (VERIFY, "credBlock.data.otp", "12a456"),
        (VERIFY, "credBlock.data.otp", True),
        (VERIFIED, "credBlock.data.status", "success"),
        *(
            (CREATE, AMOUNT, value)
            for value in (-1, "-1", Decimal("0.001"), "1e5", " 5", "", "NaN", True, None, 10**14)
        ),
        *((CREATE, "loanApplications.0.createdDate", value) for value in ("04-03-2031", "2031-3-04", "2031-02-30")),
        *((CREATE, "loanApplications.0.createdDate", value) for value in ("2031-03-04T05:06:07", "0001-01-01", "", 5)),
        *((CREATE, "loanApplications.0.createdDate", value) for value in ("20310304", "2031-W10-1", "٢٠٣١-٠٣-٠٤")),
    ],
)
def test_a_value_that_its_type_does_not_allow_is_refused(key: str, place: str, value: object) -> None:
    with pytest.raises(ValidationError):
        parsed(key, changed(key, place, value))


@pytest.mark.parametrize(
    ("sent", "understood"),
    [(250000, "250000"), ("50000.00", "50000.00"), (Decimal("99999.99"), "99999.99"), (0, "0"), ("0.10", "0.10")],
)
def test_an_amount_is_exact_whether_it_came_as_a_number_or_as_text(sent: object, understood: str) -> None:
    body: CreateLoanApplicationsRequest = parsed(CREATE, changed(CREATE, AMOUNT, sent))
    amount = body.loan_applications[0].terms.requested_amount
    assert isinstance(amount, Decimal)
    assert amount == Decimal(understood)


def test_an_amount_in_binary_floating_point_is_refused() -> None:
    with pytest.raises(ValidationError, match="not a decimal number"):
        CreateLoanApplicationsRequest.model_validate(changed(CREATE, AMOUNT, 0.1))


@pytest.mark.parametrize(
    "text", ["2031-03-04", "2031-03-04T05:06:07Z", "2031-03-04T05:06:07.123456789+05:30", "2031-03-04t05:06:07z"]
)
def test_a_creation_date_is_a_date_or_a_date_time_and_stays_as_it_was_written(text: str) -> None:
    document = changed(CREATE, "loanApplications.0.createdDate", text)
    assert parsed(CREATE, document).loan_applications[0].created_date == text


def test_a_number_that_the_callback_could_not_repeat_is_refused_at_once() -> None:
    document = complete(CREATE)
    document["loanApplications"][0]["terms"]["interestRate"] = Decimal("6.12345678901234567890")
    with pytest.raises(ValidationError, match="more digits than a JSON reader keeps"):
        CreateLoanApplicationsRequest.model_validate(document)


@pytest.mark.parametrize(("sent", "understood"), [("048213", "048213"), (48213, "048213"), (0, "000000")])
def test_an_otp_sent_as_a_number_gets_its_leading_zeros_back(sent: str | int, understood: str) -> None:
    body: VerifyLoanAcceptanceRequest = parsed(VERIFY, changed(VERIFY, "credBlock.data.otp", sent))
    assert body.cred_block.data.otp == understood


@pytest.mark.parametrize("name", [CREATE, CREATED])
def test_the_published_samples_fit_their_messages(documents: Path, name: str) -> None:
    for sample in (f"{name}.json", f"{name.replace('v4/', 'v4/alt/')}.alt1.json"):
        document = parse_json_object((documents / "examples" / sample).read_bytes())
        assert written(find_message(name).body.model_validate(document)) == document


ENUMS = {
    (CREATE, "loanApplications.borrower.primaryIdType"): PrimaryIdType,
    (CREATE, "loanApplications.borrower.category"): BorrowerCategory,
    (CREATE, "loanApplications.borrower.contactDetails.type"): ContactType,
    (CREATE, "loanApplications.terms.tenure.unit"): TenureUnit,
    (CREATE, "loanApplications.loanApplicationStatus"): LoanApplicationStatus,
    (CREATED, "response.status"): ResponseStatus,
    (TRIGGERED, "loanApplicationStatus"): LoanApplicationStatus,
    (VERIFIED, "credBlock.data.status"): OtpStatus,
}


@pytest.mark.parametrize(("key", "place"), ENUMS)
def test_an_enumeration_has_the_documented_values(documents: Path, key: str, place: str) -> None:
    schema = json.loads((documents / "schemas" / f"{key}.json").read_text("utf-8"))
    for part in place.split("."):
        schema = schema["properties"][part]
        schema = schema.get("items", schema)
    assert set(schema["enum"]) == set(ENUMS[key, place])


@each_message
def test_what_is_typed_has_a_documented_name(documents: Path, message: MessageType) -> None:
    schema = json.loads((documents / "schemas" / f"{message.full_name}.json").read_text("utf-8"))
    for place, names in typed_members(message.body):
        described = schema
        for part in place:
            described = described["properties"][part]
            described = described.get("items", described)
        assert names - ALIASES <= set(described["properties"]), place


ALIASES = {"networkId", "orgId", "participantId", "loanType"}
"""Names that the documents use without defining them as properties (P18)."""


def typed_members(model: type[BaseModel], place: tuple[str, ...] = ()) -> Any:
    """The models in a body, each with its place and the names of its members."""
    yield place, {field.alias for field in model.model_fields.values()}
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            yield from typed_members(inner, (*place, str(field.alias)))


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


@pytest.mark.parametrize(
    "place", ["loanApplications.0.guarantors", "loanApplications.0.applicants", "loanApplications.0.pledgedDocuments"]
)
def test_of_many_wrong_items_the_first_is_told_and_no_time_spent_on_the_rest(place: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        parsed(CREATE, changed(CREATE, place, [1] * 5_000))
    assert refusal.value.error_count() <= 2


def test_of_a_report_with_many_wrong_items_no_time_is_spent_on_all() -> None:
    for model, body in (
        (HeartbeatEventRequest, {"event": {"recipients": [{}] * 5_000}}),
        (LoanDisbursementAnalytics, {"metrics": [{}] * 5_000}),
    ):
        with pytest.raises(ValidationError) as refusal:
            model.model_validate(body)
        assert refusal.value.error_count() < 10
