"""The catalogue: one table of all API messages, and the models of their bodies."""
