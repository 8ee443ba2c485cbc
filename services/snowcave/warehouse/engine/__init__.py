"""The SQL engine: what the warehouse asks of one (`api`), and the one on fakesnow and DuckDB."""
