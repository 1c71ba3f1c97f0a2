"""Loan applications: taken or rejected, each by itself (OCEN CreateLoanApplications)."""

from collections import Counter

from lender_app import loans, wire
from lender_app.applications import decide_on
from lender_app.journey import lender
from lender_app.policy import Policy
from shared.node.rules import Moment, Records, Reply
from shared.protocol.phases import VerifiedMessage
from shared.protocol.problems import Problem


@lender.answers("CreateLoanApplications")
def create_applications(asked: VerifiedMessage, records: Records, policy: Policy, now: Moment) -> Reply:
    """Refuse a message that names an id again; otherwise take or reject each application, and remember it."""
    forms, sender = wire.application_forms(asked), asked.sender.organisation_id
    for loan_application_id, times in Counter(form.id for form in forms).items():
        if times > 1:
            return Reply(Problem.VALUE, f"loanApplicationId {loan_application_id} stands {times} times in it")
    if known := loans.find_applications(records, sender, [form.id for form in forms]):
        return Reply(Problem.NOT_ALLOWED_NOW, f"loanApplicationId {known[0].id} has been used; take a new one")
    decided = [decide_on(form, sender, policy.lending, now.protocol) for form in forms]
    return Reply(
        records=[record for application, _ in decided for record in loans.new_records(application)],
        outgoing=[wire.created(asked, decided)],
    )
