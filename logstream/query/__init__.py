"""The query language: text to a syntax tree, and from there to SQL or to Python."""
