"""The loop: read a question, answer it, until Ctrl-D."""

from collections.abc import Callable, Iterable
from typing import Any

import typer
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import completion_is_selected
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from logstream.cli.groups import print_error
from logstream.cli.prompt.state import history_file
from logstream.cli.prompt.words import COMMANDS, HELP, QUIT, Candidates
from logstream.core.errors import LogStreamError

_KEYS = "Tab completes, Ctrl-C cancels, Ctrl-D leaves."


def run(
    answer: Callable[[str], None],
    *,
    name: str,
    where: str,
    words: Callable[[str], Candidates],
    help_text: str,
    ends: str = "",
) -> None:
    """Until Ctrl-D. What goes wrong with a question is printed, and the next is read.

    Args:
        answer: Prints what was asked for.
        name: Of the prompt and its history.
        where: Who answers, for people.
        words: What fits behind a text.
        help_text: What its command for help prints.
        ends: What a question ends with, which may have several lines; empty: it is one.
    """
    session: PromptSession[str] = PromptSession(
        f"{name}> ",
        history=_history(name),
        completer=_Words(words),
        complete_while_typing=False,
        multiline=bool(ends),
        key_bindings=_until(ends) if ends else None,
        prompt_continuation=f"{'.' * len(name)}> ",
        enable_open_in_editor=True,
        enable_suspend=True,
    )
    typer.echo(f"Asking {where}. {_KEYS} {HELP} says more.", err=True)
    while True:
        try:
            text = session.prompt().strip().removesuffix(ends).strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text == QUIT:
            return
        if text == HELP:
            typer.echo(help_text, err=True)
        elif text:
            _ask(answer, text)


def _ask(answer: Callable[[str], None], text: str) -> None:
    try:
        answer(text)
    except KeyboardInterrupt:
        typer.echo("Cancelled.", err=True)
    except LogStreamError as error:
        print_error(error)


def _history(name: str) -> History:
    path = history_file(name)
    return InMemoryHistory() if path is None else FileHistory(str(path))


class _Words(Completer):
    def __init__(self, words: Callable[[str], Candidates]) -> None:
        self._words = words

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        del complete_event
        found = self._words(document.text_before_cursor)
        for word in found.words:
            yield Completion(word, start_position=-len(found.typed))


def _until(ends: str) -> KeyBindings:
    """Enter begins a new line until the text is at its end."""
    keys = KeyBindings()

    @keys.add("enter", filter=~completion_is_selected)
    def _(event: KeyPressEvent) -> None:
        buffer: Any = event.current_buffer
        text = buffer.text.strip()
        if not text or text.endswith(ends) or text in COMMANDS:
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys
