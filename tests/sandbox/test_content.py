"""The default content of messages."""

from sandbox.content import example_for
from shared.catalogue.table import example_of, get_message

CREATE = get_message("v3", "CreateLoanApplicationsRequest")
TRIGGER = get_message("v3", "TriggerLoanAcceptanceRequest")


def test_an_application_that_is_sent_by_default_takes_no_id_that_other_examples_use() -> None:
    ids = [example_for(CREATE, None)["loanApplications"][0]["loanApplicationId"] for _ in range(2)]
    assert len({*ids, *example_of(TRIGGER)["loanApplicationIds"]}) == 3
    assert example_for(TRIGGER, None) == example_of(TRIGGER)
