"""Event tables as statements see them: as of a moment, in files or on a server."""
