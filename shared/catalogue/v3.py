"""The exchanges of OCEN v3, in the order of the journey: one row each."""

from shared.catalogue.bodies.v3 import consent, loan_acceptance, loan_application, offers
from shared.protocol.messages import Exchange, Role

LENDER, LOAN_AGENT = Role.LENDER, Role.LOAN_AGENT

# fmt: off
EXCHANGES = (
    Exchange("v3", "CreateLoanApplications", "/v3/loanApplication/createLoanApplications", LOAN_AGENT >> LENDER,
             loan_application.CreateLoanApplicationsRequest, loan_application.CreateLoanApplicationsResponse,
             stage="loan application"),
    Exchange("v3", "ConsentHandle", "/v3/consent/consentHandle", LOAN_AGENT >> LENDER,
             consent.ConsentHandleRequest, consent.ConsentHandleResponse, stage="consent"),
    Exchange("v3", "ConsentStatus", "/v3/consent/consentStatus", LOAN_AGENT >> LENDER,
             consent.ConsentStatusRequest, consent.ConsentStatusResponse, stage="consent"),
    Exchange("v3", "GenerateOffers", "/v3/offer/generateOffers", LOAN_AGENT >> LENDER,
             offers.GenerateOffersRequest, offers.GenerateOffersResponse, stage="offers"),
    Exchange("v3", "TriggerLoanAcceptance", "/v3/loan/triggerLoanAcceptance", LOAN_AGENT >> LENDER,
             loan_acceptance.TriggerLoanAcceptanceRequest, loan_acceptance.TriggerLoanAcceptanceResponse,
             stage="loan acceptance"),
    Exchange("v3", "VerifyLoanAcceptance", "/v3/loan/verifyLoanAcceptance", LOAN_AGENT >> LENDER,
             loan_acceptance.VerifyLoanAcceptanceRequest, loan_acceptance.VerifyLoanAcceptanceResponse,
             stage="loan acceptance"),
)
