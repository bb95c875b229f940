"""A query that begins with `-` is a query."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from logstream.cli.query_command import QueryCommand

app = typer.Typer()


@app.command(cls=QueryCommand)
def ask(
    words: Annotated[list[str] | None, typer.Argument()] = None,
    *,
    source: Annotated[list[str] | None, typer.Option("--source", "-s")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n")] = 0,
    ids: Annotated[bool, typer.Option("--ids", "-i")] = False,
) -> None:
    typer.echo(repr((words, source or [], limit, ids)))


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["-source:web"], (["-source:web"], [], 0, False)),
        (["-source:web", "-n", "5"], (["-source:web"], [], 5, False)),
        (["-n:5"], (["-n:5"], [], 0, False)),
        (["-(a OR b)", "c", "-i"], (["-(a OR b)", "c"], [], 0, True)),
        (["-i", "-debug | head 3"], (["-debug | head 3"], [], 0, True)),
        (['-"a b"'], (['-"a b"'], [], 0, False)),
        (["-/err?/"], (["-/err?/"], [], 0, False)),
        (["-*err*"], (["-*err*"], [], 0, False)),
        (["-s", "-a:b", "x"], (["x"], ["-a:b"], 0, False)),
        (["-sweb", "-n5", "x"], (["x"], ["web"], 5, False)),
        (["--source=a:b", "x"], (["x"], ["a:b"], 0, False)),
        (["-n", "1", "--", "-debug"], (["-debug"], [], 1, False)),
        (["--", "-a:b"], (["-a:b"], [], 0, False)),
    ],
)
def test_what_looks_like_a_query_is_one(
    arguments: list[str], found: tuple[object, ...]
) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.stdout.strip() == repr(found)


def test_a_word_that_may_be_an_option_is_none() -> None:
    assert CliRunner().invoke(app, ["-debug"]).exit_code == 2
