"""Databases and schemas as DuckDB files: where they are, copied whole, cloned."""
