"""What the registry remembers: tables, and the reading and writing of them."""
