"""Run the lender: `python -m lender_app`, with its settings in the environment."""

from lender_app.app import LenderSettings, application
from shared.node.process import main

if __name__ == "__main__":
    main(LenderSettings, application)
