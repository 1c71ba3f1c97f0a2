"""The lender's rules, a module per stage of the loan journey; each gives its rules to `lender`."""

from lender_app.policy import Policy
from shared.node.rules import Rules

lender: Rules[Policy] = Rules()
