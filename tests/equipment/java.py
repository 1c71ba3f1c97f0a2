"""How the tests run Java."""

JAVA = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""A short run: compiled in a hurry and collected by one thread, it takes two thirds of the time."""
