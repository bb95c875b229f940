"""The question that a command has: its argument, standard input, or nobody's yet."""

import sys

import typer

from logstream.cli.output import is_terminal


def question(text: str | None) -> str | None:
    """None: there is none, and a person to ask for one.

    Args:
        text: The argument, if there is one.
    """
    if text is not None:
        return text
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        return None if is_terminal() else ""
    return typer.get_text_stream("stdin").read().strip()
