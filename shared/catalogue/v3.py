"""The exchanges of OCEN v3, in the order of the journey: one row each."""

from shared.catalogue.bodies.v3 import loan_acceptance
from shared.protocol.messages import Exchange, Role

LENDER, LOAN_AGENT = Role.LENDER, Role.LOAN_AGENT

# fmt: off
EXCHANGES = (
    Exchange("v3", "TriggerLoanAcceptance", "/v3/loan/triggerLoanAcceptance", LOAN_AGENT >> LENDER,
             loan_acceptance.TriggerLoanAcceptanceRequest, loan_acceptance.TriggerLoanAcceptanceResponse,
             stage="loan acceptance"),
    Exchange("v3", "VerifyLoanAcceptance", "/v3/loan/verifyLoanAcceptance", LOAN_AGENT >> LENDER,
             loan_acceptance.VerifyLoanAcceptanceRequest, loan_acceptance.VerifyLoanAcceptanceResponse,
             stage="loan acceptance"),
)
