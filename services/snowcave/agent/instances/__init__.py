"""Instances: what an assignment asks for, what the engine shows, and the steps between the two."""
