"""How long a test waits for what has to come. Only what never comes takes longer, however busy the machine is."""

DEADLINE = 180.0
