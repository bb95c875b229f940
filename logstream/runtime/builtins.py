"""The built-in plugins, by name: registered through the same hooks as anybody's."""

BUILTINS: tuple[tuple[str, str], ...] = (
    ("collectors", "logstream.collectors.plugin"),
    ("parsers", "logstream.parsers.plugin"),
    ("processors", "logstream.processors.plugin"),
)
