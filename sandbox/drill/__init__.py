"""Drills: operations that must not interrupt the traffic, rehearsed under load on a pair of its own."""
