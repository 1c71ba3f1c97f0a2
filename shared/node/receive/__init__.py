"""Receiving, from the bytes on the wire to the transaction behind the ack: begin with `middleware.py`, `verify.py`."""
