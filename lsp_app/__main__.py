"""Run the LSP: `python -m lsp_app`, with its settings in the environment."""

from lsp_app.app import application
from shared.node.process import main
from shared.node.settings import NodeSettings

if __name__ == "__main__":
    main(NodeSettings, application)
