"""The operator plane of the registry: who takes part, and in what."""
