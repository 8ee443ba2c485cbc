"""Service functions of a statement: found in it, called, and their answers put in their place."""
