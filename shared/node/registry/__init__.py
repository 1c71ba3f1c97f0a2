"""OCEN 4.0's Auth Service and participant registry, as a node uses them: tokens, keys, look-ups, heartbeats."""
