"""The store: DuckDB files by UTC day. Only this layer imports duckdb."""
