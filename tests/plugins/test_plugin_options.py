"""Options are checked before anything runs, and describe themselves."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from logstream.core.errors import ConfigError
from logstream.plugins import Options
from logstream.plugins.options import build_options, describe_options


class Inner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    depth: int = 0


class Sample(Options, frozen=True, kw_only=True):
    pattern: str
    """What to look for.

    On two paragraphs."""

    size: Annotated[int, Meta(ge=1, le=9)] = 3
    """How many."""

    from_: str = msgspec.field(default="message", name="from")
    """Where."""

    kind: Literal["a", "b"] = "a"
    places: dict[str, Inner] = msgspec.field(default_factory=dict)
    names: tuple[str, ...] = ()
    rate: Annotated[float, Meta(gt=0)] | None = None
    anything: Any = None
    on: bool = True


class Longer(Sample, frozen=True, kw_only=True):
    """Its own docstring is not a key's."""

    more: list[int] = msgspec.field(default_factory=list)
    """Another."""


def expect_error(raw: dict[str, Any], *parts: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_options(Sample, raw, where="processors[2] ('x', of plugin 'p')")
    message = str(caught.value)
    assert message.startswith("processors[2] ('x', of plugin 'p'): ")
    for part in parts:
        assert part in message


def test_raw_values_become_the_struct() -> None:
    """Keys that are no Python names too."""
    options = build_options(Sample, {"pattern": "x", "from": "host"}, where="here")
    assert (options.pattern, options.from_, options.size) == ("x", "host", 3)


def test_errors_name_the_place_the_path_and_the_nearest_key() -> None:
    """What the operator has to change, without a look into the code."""
    expect_error({"pattern": "x", "szie": 2}, "'szie'", "did you mean 'size'")
    expect_error({"pattern": "x", "qqqqq": 2}, "'qqqqq'", "known are pattern, size")
    expect_error({"pattern": "x", "from_": "y"}, "did you mean 'from'")
    expect_error({}, "missing required field `pattern`")
    expect_error({"pattern": "x", "size": "2"}, "size: ", "Expected `int`")
    expect_error({"pattern": "x", "size": 10}, "size: ", "<= 9")
    expect_error({"pattern": "x", "kind": "c"}, "kind: ", "'c'")
    expect_error({"pattern": "x", "names": [1]}, "names[0]: ")
    expect_error(
        {"pattern": "x", "places": {"k": {"dpth": 1}}},
        *("places[...]: ", "'dpth'", "did you mean 'depth'"),
    )


def test_every_key_describes_itself() -> None:
    """The docstring below a field is its help."""
    docs = {option.key: option for option in describe_options(Sample)}
    assert list(docs) == [
        *("pattern", "size", "from", "kind", "places", "names", "rate"),
        *("anything", "on"),
    ]
    assert docs["pattern"].required
    assert docs["pattern"].doc == "What to look for.\nOn two paragraphs."
    assert (docs["size"].type, docs["size"].default) == ("an integer from 1 to 9", 3)
    assert docs["from"].doc == "Where."
    assert docs["kind"].type == "one of a, b"
    assert docs["kind"].doc == ""
    assert docs["places"].type == "an object"
    assert (docs["names"].type, docs["names"].default) == ("a list, each item text", ())
    assert docs["rate"].type == "a number above 0 or null"
    assert docs["anything"].type == "any value"
    assert docs["on"].type == "true or false"


def test_keys_of_a_base_class_keep_their_help() -> None:
    """Options may share a base."""
    docs = {option.key: option.doc for option in describe_options(Longer)}
    assert docs["size"] == "How many."
    assert docs["more"] == "Another."


def test_without_source_there_is_no_help_and_no_error() -> None:
    """A plugin may come without its source, or be typed into a prompt."""
    made = msgspec.defstruct("Made", [("key", int, 1)], bases=(Options,), frozen=True)
    [option] = describe_options(made)
    assert (option.key, option.doc, option.default) == ("key", "", 1)
