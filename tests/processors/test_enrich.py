"""`enrich` copies, renames, removes and adds, and leaves what it is given alone."""

import socket
from typing import Any

import pytest

from logstream.core.entry import Entry
from logstream.core.errors import ConfigError
from logstream.core.sql import Sql
from logstream.plugins.options import build_options
from logstream.plugins.testing import NoContext, an_entry
from logstream.processors.enrich import EnrichOptions, EnrichProcessor, build_enrich


def an_enrich(**raw: Any) -> EnrichProcessor:
    return build_enrich(build_options(EnrichOptions, raw, where="here"), NoContext())


def enriched(entry: Entry, **raw: Any) -> Entry:
    [result] = an_enrich(**raw).process([entry])
    assert result.id == entry.id
    return result


def fields_after(fields: dict[str, Any], **raw: Any) -> dict[str, Any]:
    return enriched(an_entry(fields=fields), **raw).fields


def expect_refusal(part: str, **raw: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        an_enrich(**raw)
    assert part in str(caught.value)


def test_constants_of_any_kind_are_added() -> None:
    """Over what is there, unless told otherwise."""
    added = {"env": "prod", "n": 1, "on": True, "list": [1, {"a": None}]}
    assert fields_after({"x": 1, "env": "dev"}, add=added) == {"x": 1, **added}
    assert fields_after({"env": "dev"}, add={"env": "prod"}, overwrite=False) == {
        "env": "dev"
    }


def test_text_may_name_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """At any depth; `$$` is one `$`; what is not set is an error at start."""
    monkeypatch.setenv("REGION", "eu")
    monkeypatch.delenv("NOT_SET", raising=False)
    assert fields_after(
        {}, add={"a": "${REGION}-1", "b": ["$${REGION} $5"], "c": {"d": "${REGION}"}}
    ) == {"a": "eu-1", "b": ["${REGION} $5"], "c": {"d": "eu"}}
    expect_refusal("NOT_SET is not set", add={"a": "${NOT_SET}"})


def test_the_name_of_the_machine_is_always_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shells set HOSTNAME; services often do not have it."""
    monkeypatch.delenv("HOSTNAME", raising=False)
    assert fields_after({}, add={"h": "${HOSTNAME}"}) == {"h": socket.gethostname()}
    monkeypatch.setenv("HOSTNAME", "mine")
    assert fields_after({}, add={"h": "${HOSTNAME}"}) == {"h": "mine"}


def test_the_parts_of_an_entry_are_reached_by_name() -> None:
    """A field of such a name is reached through `fields.`."""
    result = enriched(
        an_entry("hi", level="info", source="web", fields={"svc": "auth", "sev": 3}),
        rename={"svc": "source", "sev": "level"},
        copy={"original": "message", "at": "timestamp", "old": "source"},
        add={"message": "bye", "fields.level": "mine"},
    )
    assert (result.source, result.level, result.message) == ("auth", "error", "bye")
    assert result.fields == {
        "original": "hi",
        "at": "2025-05-13T00:01:15Z",
        "old": "web",
        "level": "mine",
    }


def test_what_cannot_be_a_level_stays_a_field() -> None:
    """Nothing is lost on the way."""
    for value in ([1], {"a": 1}, None, 99, True):
        result = enriched(an_entry(fields={"sev": value}), rename={"sev": "level"})
        assert (result.level, result.fields) == ("info", {"sev": value})


def test_the_order_is_copy_rename_remove_add() -> None:
    """Whatever order the keys have in the file."""
    assert fields_after(
        {"a": 1, "b": 2},
        add={"a": 9},
        remove=["a", "c"],
        rename={"b": "c"},
        copy={"d": "a", "e": "b"},
    ) == {"a": 9, "d": 1, "e": 2}


def test_dots_reach_into_objects() -> None:
    """And make those that are not there."""
    fields = {"http": {"ms": 5, "req": {"id": "x"}}, "k": 1}
    assert fields_after(
        fields,
        copy={"trace.id": "http.req.id"},
        rename={"http.ms": "http.took.ms"},
        remove=["http.req.id"],
        add={"deep.er.still": 1},
    ) == {
        "http": {"req": {}, "took": {"ms": 5}},
        "k": 1,
        "trace": {"id": "x"},
        "deep": {"er": {"still": 1}},
    }


def test_a_field_whose_own_name_has_dots_comes_second() -> None:
    """Many loggers write them flat; the query language looks in the same order."""
    both = {"a.b": 1, "a": {"b": 2}}
    assert fields_after(both, rename={"a.b": "x"}) == {"a.b": 1, "a": {}, "x": 2}
    assert fields_after(both, add={"a.b": 9}) == {"a.b": 1, "a": {"b": 9}}
    flat = {"a.b": 1, "a": {"c": 2}}
    assert fields_after(flat, rename={"a.b": "x"}) == {"x": 1, "a": {"c": 2}}
    assert fields_after(flat, add={"a.b": 9}) == {"a.b": 9, "a": {"c": 2}}
    assert fields_after(flat, remove=["a.b"]) == {"a": {"c": 2}}


def test_a_value_that_is_no_object_is_not_made_one() -> None:
    """`a.b` cannot be set where `a` is a number; the rename leaves its source."""
    assert fields_after({"a": 1}, add={"a.b": 2}) == {"a": 1}
    assert fields_after({"a": 1, "c": 2}, rename={"c": "a.b"}) == {"a": 1, "c": 2}


def test_a_part_may_take_the_place_of_its_whole() -> None:
    """Even when it holds a part of the same name."""
    assert fields_after({"a": {"b": {"b": 1}}}, rename={"a.b": "a"}) == {"a": {"b": 1}}


def test_without_overwrite_nothing_that_is_there_changes() -> None:
    """A rename that finds its place taken leaves both."""
    assert fields_after(
        {"a": 1, "b": 2, "n": None},
        rename={"a": "b"},
        copy={"b": "a", "c": "a"},
        add={"d": 4, "n": 5, "x.y": 6},
        overwrite=False,
    ) == {"a": 1, "b": 2, "c": 1, "d": 4, "n": None, "x": {"y": 6}}


def test_what_an_entry_does_not_have_is_no_error() -> None:
    """Entries differ."""
    fields = {"x": 1}
    assert (
        fields_after(
            fields, rename={"a": "b", "x.y": "z"}, copy={"c": "d"}, remove=["e.f", "g"]
        )
        == fields
    )


def test_the_input_is_never_modified() -> None:
    """Nor are objects inside it, nor what earlier steps made."""
    inner = {"c": 1}
    entry = an_entry(fields={"a": {"b": inner}})
    result = enriched(entry, add={"a.b.d": 2}, remove=["a.b.c"])
    assert entry.fields == {"a": {"b": {"c": 1}}}
    assert inner == {"c": 1}
    assert result.fields == {"a": {"b": {"d": 2}}}


def test_constants_for_the_parts_of_an_entry_need_no_python() -> None:
    """The SQL form sets the same text."""
    processor = an_enrich(add={"source": "web", "level": "WARNING", "message": 5})
    rewrite = processor.rewrite()
    assert rewrite is not None
    assert {name: sql.params for name, sql in rewrite.columns.items()} == {
        "source": ("web",),
        "level": ("warn",),
        "message": ("5",),
    }
    assert rewrite.columns["level"] == Sql("CAST(? AS VARCHAR)", ("warn",))
    [result] = processor.process([an_entry()])
    assert (result.source, result.level, result.message) == ("web", "warn", "5")
    for raw in ({"add": {"a.b": 1}}, {"remove": ["x"]}, {"copy": {"source": "x"}}):
        assert an_enrich(**raw).rewrite() is None
    rewrite = an_enrich(add={"x": [1, None], "level": "warn"}).rewrite()
    assert rewrite is not None
    assert (rewrite.set_fields, list(rewrite.columns)) == ({"x": "[1,null]"}, ["level"])
    assert an_enrich(add={"x": "long" * 500}).rewrite() is None


def test_options_that_cannot_work_are_refused() -> None:
    """At start, each with what to write instead."""
    expect_refusal("nothing to do")
    expect_refusal("'timestamp' of an entry", add={"timestamp": "now"})
    expect_refusal("fields.id", rename={"x": "id"})
    expect_refusal("cannot be taken away", remove=["message"])
    expect_refusal("cannot be taken away", rename={"level": "lvl"})
    expect_refusal("always there", add={"source": "x"}, overwrite=False)
    expect_refusal("cannot be a level", add={"level": [1]})
    expect_refusal("part of it is empty", add={"a..b": 1})
    expect_refusal("part of it is empty", remove=[""])
