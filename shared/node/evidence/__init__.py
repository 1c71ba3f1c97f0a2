"""Evidence: what travelled under a requestId, with all that somebody needs to verify it later without us."""
