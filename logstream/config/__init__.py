"""The configuration: declared once in `settings`, read by `load`."""
