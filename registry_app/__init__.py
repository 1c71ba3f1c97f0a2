"""The Auth Service and the participant registry of OCEN 4.0, and the sink of its heartbeat."""
