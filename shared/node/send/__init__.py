"""Sending: from a message that waits in the outbox to the ack that its receiver has signed."""
