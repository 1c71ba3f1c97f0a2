"""The protocol core: envelopes, signing, named checks, verification. No clock, no I/O, no framework."""
