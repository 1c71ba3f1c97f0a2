"""Drills: what a network has to be able to do without a pause, done on a pair of its own and under load."""
