"""OCEN 4.0: the bodies of its messages, a module per stage of the journey, of its registry and of its heartbeat."""
