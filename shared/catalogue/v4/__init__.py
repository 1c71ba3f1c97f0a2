"""OCEN 4.0: the bodies of its messages, of its registry and of its heartbeat."""
