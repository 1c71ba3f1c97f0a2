"""The database under the journal: engines, tables, and the one writer that commits in groups."""
