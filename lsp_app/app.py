"""The LSP's composition: which callbacks it takes. That each answers a request of ours, the journal has seen to."""

from shared.catalogue.table import messages_received_by
from shared.node.journeys import TakeNote
from shared.node.node import Application
from shared.node.settings import NodeSettings
from shared.protocol.messages import Role


def application(_: NodeSettings) -> Application:
    """Compose the LSP."""
    return Application(
        role=Role.LOAN_AGENT,
        rules=dict.fromkeys(messages_received_by(Role.LOAN_AGENT), TakeNote()),
    )
