"""LogStream: logs in, answers out. One command, one process, one folder."""

__version__ = "1.0.0"
