"""`parse` turns texts into fields, and leaves alone what is not in the format."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.core.entry import Entry
from logstream.core.errors import ConfigError
from logstream.plugins.options import build_options
from logstream.plugins.testing import NoContext, an_entry
from logstream.processors.parse import (
    MAX_CHARS,
    MAX_DEPTH,
    ParseOptions,
    ParseProcessor,
    build_parse,
)

LOGHUB = Path(__file__).resolve().parents[2].parent / "shared/data/loghub"


def a_parse(**raw: Any) -> ParseProcessor:
    return build_parse(build_options(ParseOptions, raw, where="here"), NoContext())


def parsed(entry: Entry, **raw: Any) -> Entry:
    [result] = a_parse(**raw).process([entry])
    assert result.id == entry.id
    return result


def fields_of(message: str, **raw: Any) -> dict[str, Any]:
    return parsed(an_entry(message), **raw).fields


def expect_refusal(part: str, **raw: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        a_parse(**raw)
    assert part in str(caught.value)


def test_an_object_in_the_message_becomes_fields() -> None:
    """The message stays."""
    result = parsed(an_entry(' {"a": 1, "b": {"c": [true, null]}} '))
    assert result.fields == {"a": 1, "b": {"c": [True, None]}}
    assert result.message == ' {"a": 1, "b": {"c": [true, null]}} '


@pytest.mark.parametrize(
    "message",
    [
        *("", "plain", "[1, 2]", "7", "null", '"text"', "{", '{"a":1} and more'),
        *('{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud800"}', "{'a': 1}", "{a}"),
        '{"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}",
        '{"a":' * 200_000,
    ],
)
def test_what_is_no_object_is_left_alone(message: str) -> None:
    """However it ends, and however deep it is."""
    entry = an_entry(message, fields={"x": 1})
    assert a_parse().process([entry])[0] is entry


def test_json_of_allowed_depth_is_parsed() -> None:
    """The limit is on depth, not on the number of objects."""
    deep = '{"a":' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1) + "}"
    assert "a" in fields_of(deep)
    assert len(fields_of(json.dumps({"a": [{}] * 500}))["a"]) == 500


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text("aä\n"),
            lambda inner: st.lists(inner) | st.dictionaries(st.text("ab."), inner),
            max_leaves=8,
        ),
    )
)
def test_fields_are_exactly_what_the_text_says(value: dict[str, Any]) -> None:
    """Values of all kinds come through."""
    assert fields_of(json.dumps(value)) == value


def test_fields_that_are_there_stay() -> None:
    """Unless `overwrite` is set."""
    entry = an_entry('{"a": 1, "b": 2}', fields={"a": 0})
    assert parsed(entry).fields == {"a": 0, "b": 2}
    assert parsed(entry, overwrite=True).fields == {"a": 1, "b": 2}
    assert entry.fields == {"a": 0}


def test_what_is_found_can_go_into_one_field() -> None:
    """It joins an object that is there; anything else there is kept."""
    message = '{"a": 1}'
    assert fields_of(message, into="app.log") == {"app": {"log": {"a": 1}}}
    entry = an_entry(message, fields={"app": {"a": 0, "b": 2}})
    assert parsed(entry, into="app").fields == {"app": {"a": 0, "b": 2}}
    assert parsed(entry, into="app", overwrite=True).fields == {"app": {"a": 1, "b": 2}}
    taken = an_entry(message, fields={"app": "x"})
    assert a_parse(into="app").process([taken])[0] is taken
    assert parsed(taken, into="app", overwrite=True).fields == {"app": {"a": 1}}


def test_a_field_can_be_parsed_too() -> None:
    """Where it holds text."""
    entry = an_entry("x", fields={"raw": {"body": '{"a": 1}'}})
    assert parsed(entry, **{"from": "raw.body"}).fields["a"] == 1
    for value in (1, None, {"a": 1}, ["{}"]):
        other = an_entry("x", fields={"raw": value})
        assert a_parse(**{"from": "raw"}).process([other])[0] is other


def test_keys_are_promoted_to_the_entry() -> None:
    """And are no fields then."""
    result = parsed(
        an_entry(
            '{"ts": 1747094475.5, "sev": "WARNING", "msg": "m", "app": "s", "x": 1}'
        ),
        promote={"timestamp": "ts", "level": "sev", "message": "msg", "source": "app"},
    )
    assert result.timestamp == "2025-05-13T00:01:15.5Z"
    assert (result.level, result.message, result.source) == ("warn", "m", "s")
    assert result.fields == {"x": 1}


def test_what_cannot_be_promoted_stays_a_field() -> None:
    """Nothing is lost."""
    for text in ('"yesterday"', "true", "[1]", "-5", "null", '"0000-01-01T00:00:00Z"'):
        result = parsed(an_entry(f'{{"ts": {text}}}'), promote={"timestamp": "ts"})
        assert result.timestamp == "2025-05-13T00:01:15Z"
        assert result.fields == {"ts": json.loads(text)}
    result = parsed(an_entry('{"m": 5}'), promote={"message": "m"})
    assert (result.message, result.fields) == ('{"m": 5}', {"m": 5})


def test_named_groups_become_fields() -> None:
    """Anywhere in the text; a group that took no part is left out."""
    pattern = r"(?P<method>GET|PUT) (?P<path>\S+)(?: (?P<status>\d+))?"
    assert fields_of("x GET /a 200 y", format="regex", pattern=pattern) == {
        "method": "GET",
        "path": "/a",
        "status": "200",
    }
    assert fields_of("PUT /b", format="regex", pattern=pattern) == {
        "method": "PUT",
        "path": "/b",
    }


def test_what_a_pattern_does_not_find_is_left_alone() -> None:
    """Too long a text too: a search can take quadratic time."""
    processor = a_parse(format="regex", pattern=r"(?P<n>\d+)$")
    for message in ("none", "", "1" * (MAX_CHARS + 1)):
        entry = an_entry(message)
        assert processor.process([entry])[0] is entry


def test_groups_are_text_unless_their_type_is_given() -> None:
    """What is not of the type stays text, and no value comes of it but JSON's."""
    pattern = r"^(?P<v>.*)$"

    def typed(text: str, kind: str) -> Any:
        given = {"format": "regex", "pattern": pattern, "types": {"v": kind}}
        return fields_of(text, **given)["v"]

    assert fields_of("12", format="regex", pattern=pattern) == {"v": "12"}
    assert typed("12", "int") == 12
    assert typed("-3", "int") == -3
    assert typed("1.5e3", "float") == 1500.0
    assert typed("TRUE", "bool") is True
    assert typed("false", "bool") is False
    for text, kind in (
        *(("1_000", "int"), (" 1", "int"), ("٣", "int"), ("9" * 30, "int")),
        *(("nan", "float"), ("inf", "float"), ("1e999", "float"), ("yes", "bool")),
    ):
        assert typed(text, kind) == text


def test_types_work_on_json_texts_too() -> None:
    """Values that are no text stay as they are."""
    types = {"a": "int", "b": "int"}
    assert fields_of('{"a": "5", "b": [1]}', types=types) == {"a": 5, "b": [1]}


def test_options_that_cannot_work_are_refused() -> None:
    """At start, each with the reason."""
    expect_refusal("needs a pattern", format="regex")
    expect_refusal("goes with format: regex", pattern="(?P<a>x)")
    expect_refusal("no regular expression", format="regex", pattern="(?P<a>")
    expect_refusal("no named group", format="regex", pattern=r"(\d+)")
    expect_refusal(
        "no group 'stats': did you mean 'status'?",
        format="regex",
        pattern="(?P<status>x)",
        types={"stats": "int"},
    )
    expect_refusal(
        "no group 'ts'",
        format="regex",
        pattern="(?P<a>x)",
        promote={"timestamp": "ts"},
    )
    expect_refusal("it repeats", format="regex", pattern=r"(?P<a>(\w+\s?)*)$")


@pytest.mark.skipif(not LOGHUB.is_dir(), reason="the sample logs are not there")
def test_every_line_of_a_real_web_server_log_is_parsed() -> None:
    """The pattern of the documentation's page, on Apache's error log."""
    [path] = LOGHUB.rglob("Apache_2k.log")
    processor = a_parse(
        format="regex",
        pattern=r"^\[(?P<at>[^\]]+)\] \[(?P<level>\w+)\] (?P<message>.*)$",
        promote={"level": "level", "message": "message"},
    )
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    batch = [an_entry(line, id=n) for n, line in enumerate(lines, start=1)]
    result = processor.process(batch)
    assert len(result) == len(lines) > 0
    assert {entry.level for entry in result} <= {"info", "warn", "error"}
    assert all(set(entry.fields) == {"at"} for entry in result)
