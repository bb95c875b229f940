"""The store: DuckDB files, one per UTC day. Only this layer imports duckdb."""
