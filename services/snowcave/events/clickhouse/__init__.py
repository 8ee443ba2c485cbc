"""The event table on a ClickHouse server, by clickhouse-connect (the extra `clickhouse`)."""
