"""LogStream: logs in, answers out. One command, one process, one folder.

As a library: `logstream.open("data")` opens a data folder, and
`logstream.connect("http://…")` talks to a server; see `logstream.client`.
"""

from importlib import import_module
from typing import Any

__version__ = "1.0.0"

_LIBRARY = {
    "Answer": "Answer",
    "Database": "Database",
    "connect": "connect",
    "open": "open_folder",
}


def __getattr__(name: str) -> Any:
    """The library is imported when it is used: commands have no use for it."""
    if name not in _LIBRARY:
        raise AttributeError(f"module 'logstream' has no attribute {name!r}")
    return getattr(import_module("logstream.client"), _LIBRARY[name])
