"""What follows when an application ends: requests that still wait for something about it are answered."""

from collections.abc import Sequence

from lender_app.journey.consent import answer_waiting_consent
from lender_app.journey.offers import answer_enquiries
from lender_app.loan import Event
from lender_app.loans import Loan
from lender_app.transitions import Step
from shared.node.rules import Moment, Records, Reply, all_of


def ended(loan: Loan, steps: Sequence[Step], records: Records, now: Moment) -> Reply:
    """Answer those who wait, if one of the steps has ended the application; `loan` is as it is after them."""
    if not any(step.edge.emits is Event.APPLICATION_ENDED for step in steps):
        return Reply()
    return all_of([answer_waiting_consent(loan, records), answer_enquiries(loan, loan.waiting, records, now)])
