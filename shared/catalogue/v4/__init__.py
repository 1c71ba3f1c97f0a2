"""Bodies of the messages of OCEN 4.0, a module per stage of the journey."""
