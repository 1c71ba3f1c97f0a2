"""Bodies of the v3 messages, a module per stage of the journey."""
