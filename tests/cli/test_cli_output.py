"""Formats for programs, byte by byte."""

import csv
import io
import json
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from logstream.cli.backend import Found
from logstream.cli.entries import write_entries
from logstream.cli.output import OutputFormat, write_records
from logstream.cli.tables import bar, size, write_table


def found(message: str, fields: str = "{}", **more: Any) -> Found:
    return Found(
        timestamp="2025-05-13T00:01:15.25Z",
        source=more.pop("source", "web"),
        level=more.pop("level", "info"),
        message=message,
        fields=msgspec.Raw(fields.encode()),
        **more,
    )


@pytest.fixture
def printed(capfdbinary: Any) -> Callable[..., bytes]:
    def run(entries: list[Found], how: OutputFormat, *, ids: bool = False) -> bytes:
        assert write_entries(entries, how, ids=ids, color=True) == len(entries)

        sys.stdout.flush()
        return bytes(capfdbinary.readouterr().out)

    return run


Printed = Callable[..., bytes]


def test_json_is_one_array_in_the_shape_of_the_contract(printed: Printed) -> None:
    out = printed([found("a", '{"x":1}'), found("b")], OutputFormat.json)
    assert json.loads(out) == [
        {
            "timestamp": "2025-05-13T00:01:15.25Z",
            "source": "web",
            "level": "info",
            "message": message,
            "fields": fields,
        }
        for message, fields in (("a", {"x": 1}), ("b", {}))
    ]
    assert printed([], OutputFormat.json) == b"[]\n"


def test_ndjson_is_a_line_each(printed: Printed) -> None:
    out = printed([found("a\nb", id="7"), found("c", id="8")], OutputFormat.ndjson)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["message"] for line in lines] == ["a\nb", "c"]
    assert list(lines[0]) == ["id", "timestamp", "source", "level", "message", "fields"]
    assert printed([], OutputFormat.ndjson) == b""


def test_csv_is_rfc_4180(printed: Printed) -> None:
    out = printed([found('say "hi", you\nthere', '{"a":{"b":1}}')], OutputFormat.csv)
    assert out.startswith(b"timestamp,source,level,message,fields\r\n")
    assert b'"say ""hi"", you\nthere"' in out
    rows = list(csv.reader(io.StringIO(out.decode(), newline="")))
    assert rows[1][3] == 'say "hi", you\nthere'
    assert json.loads(rows[1][4]) == {"a": {"b": 1}}


def test_a_table_in_a_pipe_is_plain_lines(printed: Printed) -> None:
    """One line an entry, whatever the message holds, so that grep and cut work."""
    fields = '{"user":"al ice","n":{"deep":1},"none":null,"list":[1,2],"empty":""}'
    out = printed([found("two\nlines\x1b[0m", fields)], OutputFormat.table)
    assert out.decode() == (
        "2025-05-13T00:01:15.25Z INFO web two\\nlines\\x1b[0m "
        'user="al ice" n.deep=1 none=null list=[1,2] empty=""\n'
    )


def test_a_plain_line_begins_with_the_id_when_it_is_asked_for(printed: Printed) -> None:
    assert printed([found("a", id="7")], OutputFormat.table, ids=True).startswith(
        b"7 2"
    )


def test_records_come_in_every_format(capfdbinary: Any) -> None:
    rows: list[list[Any]] = [["a", 1, None], ["b", 2, [True]]]
    for how in (OutputFormat.json, OutputFormat.ndjson, OutputFormat.csv):
        write_records(["name", "n", "more"], rows, how)

    sys.stdout.flush()
    assert capfdbinary.readouterr().out.decode() == (
        '[{"name":"a","n":1,"more":null},{"name":"b","n":2,"more":[true]}]\n'
        '{"name":"a","n":1,"more":null}\n{"name":"b","n":2,"more":[true]}\n'
        "name,n,more\r\na,1,\r\nb,2,[true]\r\n"
    )


def test_tables_in_a_pipe_have_tabs_and_no_header(capfdbinary: Any) -> None:
    write_table(["a", "b"], [["x\ty", 1234], [None, "\x1b"]])

    sys.stdout.flush()
    assert capfdbinary.readouterr().out == b"x\\ty\t1234\n\t\\x1b\n"


@pytest.mark.parametrize(
    ("share", "cells"), [(0, ""), (1e-9, "▏"), (0.5, "█" * 15), (1, "█" * 30)]
)
def test_a_bar_is_as_long_as_its_share(share: float, cells: str) -> None:
    assert bar(share) == cells


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2e15, "2000.0 TB")],
)
def test_sizes_are_readable(count: float, text: str) -> None:
    assert size(int(count)) == text
