"""What is generated from the declaration, and that the committed files equal it."""

import re
from pathlib import Path

import pytest

from logstream.config.describe import describe, docstrings, keys, sections
from logstream.config.document import yaml_text
from logstream.config.example import (
    EXAMPLE_FILE,
    REFERENCE_FILE,
    example,
    reference,
    with_reference,
)
from logstream.config.load import load_settings, parse_settings
from logstream.config.settings import Settings
from logstream.config.show import show, shown
from logstream.plugins.contracts import Options

ROOT = Path(__file__).resolve().parents[2]


class Sampling(Options, frozen=True, kw_only=True):
    rate: float = 0.5
    """The part that
    is kept.

    The rest is counted.
    """

    key: str


def switched_on() -> str:
    """The example with the `#` before each key taken away."""
    text = re.sub(r"(?m)^  #(?! )", "  ", example())
    return re.sub(r"(?m)^  #(?=  )", "  ", text)


def test_the_committed_example_is_the_generated_one() -> None:
    """When this fails: `make generate`."""
    assert (ROOT / EXAMPLE_FILE).read_text(encoding="utf-8") == example()


def test_the_committed_reference_is_the_generated_one() -> None:
    """When this fails: `make generate`."""
    page = (ROOT / REFERENCE_FILE).read_text(encoding="utf-8")
    assert page == with_reference(page)


def test_a_page_with_no_place_for_the_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="no part between"):
        with_reference("# Configuration\n")


def test_the_example_loads_and_means_all_defaults() -> None:
    loaded = parse_settings(example(), origin="example")
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}


def test_the_example_with_every_key_switched_on_loads() -> None:
    """And each key stands there with its default."""
    loaded = parse_settings(switched_on(), origin="example")
    assert set(loaded.origins.values()) == {"file"}
    for key in keys():
        section, _, name = key.path.partition(".")
        value = getattr(getattr(loaded.settings, section), name)
        assert value == key.default, key.path
    assert [processor.type for processor in loaded.settings.processors] == ["filter"]


def test_the_samples_of_the_example_are_options_that_plugins_take() -> None:
    from logstream.plugins.manager import load_plugins
    from logstream.runtime.building import check_settings
    from logstream.runtime.builtins import BUILTINS

    settings = parse_settings(switched_on(), origin="example").settings
    check_settings(settings, load_plugins(settings.plugins, builtins=BUILTINS))


@pytest.mark.parametrize("generated", [example(), reference()])
def test_every_key_and_variable_is_named(generated: str) -> None:
    for section in sections():
        for key in section.keys:
            assert key.help, f"{key.path} has no docstring"
            assert key.name in generated
            assert key.variable is None or key.variable in generated


def test_no_line_of_the_example_is_too_long() -> None:
    assert max(map(len, example().splitlines())) <= 88


def test_every_variable_sets_its_key() -> None:
    for key in keys():
        assert key.variable is not None
        value = key.default_text
        environ = {key.variable: "x" if value in ("null", "") else value}
        loaded = parse_settings("", origin="", environ=environ)
        assert loaded.origins[key.path] == "environment"


def test_units_stand_in_the_names_of_sizes_and_times() -> None:
    for key in keys():
        if key.default_size or "timeout" in key.name:
            assert key.name.endswith(("_bytes", "_s", "_ms")), key.path


def test_the_options_of_a_plugin_are_described_too() -> None:
    rate, name = describe(Sampling)
    assert (rate.path, rate.expects, rate.default_text) == ("rate", "a number", "0.5")
    assert rate.help == "The part that is kept.\nThe rest is counted."
    assert rate.variable is None
    assert name.required
    assert name.help == ""


def test_without_source_text_there_is_no_help() -> None:
    namespace: dict[str, type] = {}
    exec("import msgspec\nclass Made(msgspec.Struct):\n    a: int = 1", namespace)
    assert docstrings(namespace["Made"]) == {}


def test_what_is_shown_loads_to_the_same_settings() -> None:
    text = "server: {port: 9}\nprocessors: [{type: filter, options: {drop: 'a: b'}}]"
    loaded = parse_settings(text, origin="f", overrides={"storage.path": "no"})
    assert parse_settings(show(loaded), origin="f").settings == loaded.settings


def test_what_is_shown_names_the_origin_of_each_value(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("server: {port: 9}", encoding="utf-8")
    loaded = load_settings(file, environ={}, overrides={"server.host": "::"})
    found = {item.key: (item.value, item.origin) for item in shown(loaded)}
    assert found["server.port"] == (9, str(file))
    assert found["server.host"] == ("::", "flag")
    assert found["processors"] == ([], "default")
    assert f"# {file}" in show(loaded)


def test_a_text_that_looks_like_a_number_is_quoted() -> None:
    assert yaml_text("1e5") == '"1e5"'
    assert yaml_text("plain") == "plain"
