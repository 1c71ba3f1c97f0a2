"""The operator plane: an application of its own for the people and tools of this machine."""
