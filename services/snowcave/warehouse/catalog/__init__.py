"""What DuckDB does not note of tables, views, sequences and functions, and SHOW of all of them."""
