"""The LSP's composition: which callbacks it takes. That each answers a request of ours, the journal has seen to."""

from shared.node.journeys import TakeNote
from shared.node.node import Application
from shared.node.settings import NodeSettings
from shared.protocol.participants import ParticipantRole


def application(_: NodeSettings) -> Application:
    """Compose the LSP."""
    return Application(
        role=ParticipantRole.LOAN_AGENT,
        rules={
            "TriggerLoanAcceptanceResponse": TakeNote(),
            "VerifyLoanAcceptanceResponse": TakeNote(),
            "v4/CreateLoanApplicationsResponse": TakeNote(),
            "v4/TriggerLoanAcceptanceResponse": TakeNote(),
            "v4/VerifyLoanAcceptanceResponse": TakeNote(),
        },
    )
