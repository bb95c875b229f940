"""Rich's console, except for what it does when the reader has gone."""

from typing import NoReturn

from rich.console import Console


class Screen(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Rich would end the process, with standard output closed for good. Here the
        pager was left, or the program's top ends it quietly.
        """
        raise BrokenPipeError
