"""Built-in parsers: lines of text to the parts of an entry."""
