"""The protocol plane of the registry: what participants call, over TLS."""
