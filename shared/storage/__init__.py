"""Storage of a service: one writer with group commit, readers, versions of tables. Nothing here is OCEN."""
