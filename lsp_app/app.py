"""The LSP's composition. The journal has checked that each callback answers a request of ours."""

from lsp_app.journey import lsp
from lsp_app.policy import Policy
from shared.node.node import Application
from shared.node.settings import NodeSettings
from shared.protocol.messages import Role


def application(_: NodeSettings) -> Application:
    """Compose the LSP."""
    return Application(role=Role.LOAN_AGENT, rules=lsp.with_policy(Policy()))
