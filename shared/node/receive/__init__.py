"""Receiving, from the wire to the transaction behind the ack: `middleware.py`, `verify.py`, `reception.py`."""
