"""What becomes of a message that comes in."""
