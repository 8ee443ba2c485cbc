"""Container logs: from the engine's own files to the event table, each line once."""
