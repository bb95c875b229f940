"""The REST API. Only this layer imports litestar."""
