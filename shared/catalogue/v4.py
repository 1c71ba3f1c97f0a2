"""The exchanges of OCEN 4.0, in the order of the journey: one row each."""

from shared.catalogue.bodies.v4 import loan_acceptance, loan_application
from shared.protocol.messages import Exchange, Role

LENDER, LOAN_AGENT = Role.LENDER, Role.LOAN_AGENT

# fmt: off
EXCHANGES = (
    Exchange("v4", "CreateLoanApplications", "/v4.0.0alpha/loanApplications/createLoan", LOAN_AGENT >> LENDER,
             loan_application.CreateLoanApplicationsRequest, loan_application.CreateLoanApplicationsResponse,
             stage="loan application", wraps_response_ack=True,
             event=("CREATE_LOAN_APPLICATION_REQUEST", "CREATE_LOAN_APPLICATIONS_RESPONSE")),
    Exchange("v4", "TriggerLoanAcceptance", "/v4.0.0alpha/loanAcceptance/triggerLoanAcceptance", LOAN_AGENT >> LENDER,
             loan_acceptance.TriggerLoanAcceptanceRequest, loan_acceptance.TriggerLoanAcceptanceResponse,
             stage="loan acceptance", event="TRIGGER_LOAN_ACCEPTANCE"),
    Exchange("v4", "VerifyLoanAcceptance", "/v4.0.0alpha/loanAcceptance/verifyLoanAcceptance", LOAN_AGENT >> LENDER,
             loan_acceptance.VerifyLoanAcceptanceRequest, loan_acceptance.VerifyLoanAcceptanceResponse,
             stage="loan acceptance", event="VERIFY_LOAN_ACCEPTANCE"),
)
