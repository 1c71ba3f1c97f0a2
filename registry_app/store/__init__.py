"""The registry's tables, and the reading and writing of them."""
