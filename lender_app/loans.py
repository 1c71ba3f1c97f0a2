"""Loan applications as records: what the lender remembers of each, and under which ids."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lender_app.applications import ApplicationRecord, ApplicationStatus, standing_of
from lender_app.policy import ApplicationStanding
from shared.node.rules import Record, Records, find_records

LOAN_APPLICATION = "loan-application"
APPLICATION_ID = "loan-application-id"
"""Kind of a second record, under the id alone: that somebody has an application of that id, and who came first."""


def find_applications(records: Records, sender: str, ids: Sequence[str]) -> list[ApplicationRecord]:
    """Return those of the sender's applications that came in by message, in the order of their ids."""
    found = find_records(records, [record_id(sender, id_) for id_ in ids])
    return [application_of(record) for record in found if record is not None]


def known_standings(records: Records, sender: str, ids: Sequence[str]) -> dict[str, ApplicationStanding]:
    """Tell how those of the applications stand that came in by message.

    One that only another sender has created is UNKNOWN, as if there were none.
    """
    find_records(records, [*(record_id(sender, id_) for id_ in ids), *map(_id_record, ids)])
    known = {application.id: standing_of(application) for application in find_applications(records, sender, ids)}
    foreign = {id_: ApplicationStanding.UNKNOWN for id_ in ids if _id_record(id_) in records}
    return foreign | known


def record_id(sender: str, loan_application_id: str) -> str:
    """Return the id of the record. No id holds a line break, so no two applications have the same."""
    return f"application\n{sender}\n{loan_application_id}"


def application_of(record: Record) -> ApplicationRecord:
    """Read an application from its record."""
    return ApplicationRecord(
        id=record.state["loanApplicationId"],
        sender=record.participant,
        status=ApplicationStatus(record.state["status"]),
        masked_phone=record.state["maskedPhoneNumber"],
        expires_at=record.expires_at,
    )


def record_of(application: ApplicationRecord) -> Record:
    """Write an application as its record."""
    state = {
        "loanApplicationId": application.id,
        "status": application.status.value,
        "maskedPhoneNumber": application.masked_phone,
    }
    id_ = record_id(application.sender, application.id)
    return Record(id_, LOAN_APPLICATION, application.sender, state, application.expires_at)


def new_records(application: ApplicationRecord) -> tuple[Record, Record]:
    """Write a new application as its record, and that its id is taken."""
    record = record_of(application)
    return record, replace(record, id=_id_record(application.id), kind=APPLICATION_ID, state={})


def records_of(applications: Iterable[ApplicationRecord]) -> list[Record]:
    """Write applications that have changed as their records."""
    return [record_of(application) for application in applications]


def _id_record(loan_application_id: str) -> str:
    return f"application id\n{loan_application_id}"
