"""Plugins are found in three places, and what is wrong with one is told at start-up."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from logstream.config.settings import PluginsConfig, ProcessorConfig
from logstream.core.errors import ConfigError, LogStreamError, PluginError
from logstream.plugins import (
    CollectorSpec,
    Entry,
    Options,
    ProcessorSpec,
    hookimpl,
    per_entry,
)
from logstream.plugins.manager import Plugins, load_plugins
from logstream.plugins.testing import NoContext, an_entry

REPO = Path(__file__).resolve().parents[2]

HEAD = """\
from logstream.plugins import Options, ProcessorSpec, hookimpl, per_entry

def build(options, context):
    return per_entry(lambda entry: entry)

"""
GOOD = (
    HEAD
    + """\
@hookimpl
def logstream_processors():
    return [ProcessorSpec(name="{name}", summary="", options=Options, build=build)]
"""
)


def a_plugin(name: str) -> object:
    """An object with one processor, `name`, that leaves everything as it is."""

    @hookimpl
    def logstream_processors() -> Sequence[ProcessorSpec]:
        return [a_spec(name)]

    return SimpleNamespace(logstream_processors=logstream_processors)


def a_spec(name: str) -> ProcessorSpec:
    return ProcessorSpec(
        name=name, summary="", options=Options, build=lambda _, __: per_entry(same)
    )


def same(entry: Entry) -> Entry:
    return entry


def with_hook(name: str, function: Callable[..., Any]) -> object:
    return SimpleNamespace(**{name: hookimpl(function)})


def load(folder: Path | None = None, *builtins: tuple[str, object]) -> Plugins:
    config = PluginsConfig(folder=str(folder) if folder else None)
    return load_plugins(config, builtins=builtins)


def expect_refusal(
    *parts: str,
    folder: Path | None = None,
    builtins: Sequence[tuple[str, object]] = (),
    disabled: tuple[str, ...] = (),
) -> None:
    """Loading fails, and the message holds all of `parts`."""
    config = PluginsConfig(folder=str(folder) if folder else None, disabled=disabled)
    with pytest.raises(LogStreamError) as caught:
        load_plugins(config, builtins=builtins)
    assert caught.value.exit_code == 2
    for part in parts:
        assert part in str(caught.value)


def install(
    site: Path, monkeypatch: pytest.MonkeyPatch, module: str, text: str
) -> None:
    """A package that is installed, with one entry point of the module's name."""
    (site / f"{module}.py").write_text(text)
    info = site / f"{module}_dist-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {module}-dist\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[logstream.plugins]\n{module} = {module}")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, module, raising=False)


def test_files_and_packages_in_the_folder_are_plugins(tmp_path: Path) -> None:
    """Tests, private modules and other files beside them are not."""
    (tmp_path / "one.py").write_text(GOOD.format(name="first"))
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "__init__.py").write_text(
        "from .inside import *\n" + GOOD.format(name="second")
    )
    (tmp_path / "two" / "inside.py").write_text("x = 1")
    for other in ("_shared.py", "test_one.py", "conftest.py", "notes.txt", ".x.py"):
        (tmp_path / other).write_text("raise SystemExit('not to be imported')")
    (tmp_path / "data").mkdir()

    plugins = load(tmp_path)

    assert {n: o.plugin for n, o in plugins.processors.items()} == {
        "first": "one",
        "second": "two",
    }
    assert str(tmp_path) not in sys.path


def test_a_plugin_can_import_a_private_module_beside_it(tmp_path: Path) -> None:
    """Through the folder, without `sys.path`."""
    (tmp_path / "_names.py").write_text("NAME = 'shared'")
    (tmp_path / "one.py").write_text(
        "from . import _names\n"
        + GOOD.replace('"{name}"', "_names.NAME").replace("{name}", "")
    )
    assert list(load(tmp_path).processors) == ["shared"]


def test_two_folders_may_hold_plugins_of_the_same_name(tmp_path: Path) -> None:
    """In one process, each is its own."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.py").write_text(GOOD.format(name=folder))
    assert list(load(tmp_path / "a").processors) == ["a"]
    assert list(load(tmp_path / "b").processors) == ["b"]


def test_installed_packages_are_found_by_their_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And say which package they are from."""
    install(tmp_path, monkeypatch, "geoplug", GOOD.format(name="locate"))
    plugins = load()
    assert plugins.processors["locate"].plugin == "geoplug"
    [described] = plugins.describe()
    assert described.origin == "entry point of geoplug-dist 1.2"


def test_built_in_modules_may_be_named_and_are_imported_when_used() -> None:
    """A disabled one is never imported."""
    config = PluginsConfig(disabled=("broken",))
    plugins = load_plugins(
        config,
        builtins=[
            ("processors", "logstream.processors.plugin"),
            ("broken", "logstream.there.is.no.such.module"),
        ],
    )
    assert list(plugins.processors) == ["filter", "enrich", "parse", "replace"]
    assert [(p.name, p.enabled) for p in plugins.describe()] == [
        ("processors", True),
        ("broken", False),
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("import nothing_of_this_name", ["ModuleNotFoundError", "bad.py:1"]),
        ("x = 1\n\n1 / 0", ["ZeroDivisionError", "bad.py:3"]),
        ("def f(:\n", ["SyntaxError"]),
        ("import sys\nsys.exit(3)", ["SystemExit"]),
        ("x = 1", ["has no hook"]),
        (
            HEAD + "@hookimpl\ndef logstream_procesors():\n    return []",
            ["unknown hook 'logstream_procesors'", "logstream_processors"],
        ),
        (
            HEAD + "def logstream_processors():\n    return []",
            ["not marked", "@hookimpl"],
        ),
        (
            HEAD + "@hookimpl\ndef logstream_processors(config):\n    return []",
            ["config"],
        ),
        (HEAD + "@hookimpl\ndef logstream_processors():\n    return 7", ["type int"]),
        (HEAD + "@hookimpl\ndef logstream_processors():\n    pass", ["None", "a list"]),
        (
            HEAD + "@hookimpl\ndef logstream_processors():\n    return ['x']",
            ["type str", "ProcessorSpec"],
        ),
        (
            HEAD + "@hookimpl\ndef logstream_processors():\n    raise KeyError('x')",
            ["failed in logstream_processors", "KeyError"],
        ),
        (
            HEAD + "@hookimpl(wrapper=True)\ndef logstream_processors():\n"
            "    return (yield)",
            ["wrapper"],
        ),
        (GOOD.format(name="two words"), ["'two words'", "one word"]),
        (
            GOOD.format(name="x").replace("options=Options", "options=dict"),
            ["subclass of Options"],
        ),
        (GOOD.format(name="x").replace("build=build", "build=3"), ["callable"]),
    ],
)
def test_a_broken_plugin_stops_the_start(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    """The message names the plugin, its file and the reason."""
    (tmp_path / "bad.py").write_text(text)
    expect_refusal("bad", str(tmp_path), *parts, folder=tmp_path)


def test_a_broken_plugin_can_be_switched_off(tmp_path: Path) -> None:
    """The message says how, and it works."""
    (tmp_path / "bad.py").write_text("1 / 0")
    expect_refusal("add 'bad' to plugins.disabled", folder=tmp_path)
    config = PluginsConfig(folder=str(tmp_path), disabled=("bad",))
    assert not load_plugins(config, builtins=()).processors


def test_switching_off_what_is_not_there_is_an_error() -> None:
    """Or a misspelt name would leave the plugin on."""
    expect_refusal(
        "plugins.disabled names 'procesors'",
        "did you mean 'processors'?",
        builtins=[("processors", a_plugin("x"))],
        disabled=("procesors",),
    )


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """So is a file."""
    expect_refusal("plugins.folder", "No such file", folder=tmp_path / "none")
    (tmp_path / "file").write_text("")
    expect_refusal("plugins.folder", "Not a directory", folder=tmp_path / "file")


def test_a_name_that_no_module_can_have_is_an_error(tmp_path: Path) -> None:
    """Rather than a puzzle in the import system."""
    (tmp_path / "a.b.py").write_text(GOOD.format(name="x"))
    expect_refusal("a.b", "no name for a plugin", folder=tmp_path)


def test_two_plugins_of_one_name_are_an_error(tmp_path: Path) -> None:
    """The message names both places."""
    (tmp_path / "same.py").write_text(GOOD.format(name="x"))
    expect_refusal(
        *("'same'", "built-in", "same.py"),
        folder=tmp_path,
        builtins=[("same", a_plugin("y"))],
    )


def test_two_offers_of_one_name_are_an_error() -> None:
    """The message names both plugins."""
    expect_refusal(
        *("'one'", "'two'", "processor called 'x'"),
        builtins=[("one", a_plugin("x")), ("two", a_plugin("x"))],
    )


def test_two_collectors_for_one_scheme_are_an_error() -> None:
    """Else it would be luck which one reads a URL."""

    def offer(name: str) -> object:
        spec = CollectorSpec(
            name=name,
            summary="",
            options=Options,
            build=lambda _, __: None,  # type: ignore[arg-type,return-value]
            schemes=("s3",),
        )
        return with_hook("logstream_collectors", lambda: [spec])

    expect_refusal(
        *("'one'", "'two'", "s3://"),
        builtins=[("one", offer("a")), ("two", offer("b"))],
    )


def test_an_entry_point_that_is_a_class_is_an_error() -> None:
    """Its hooks would be called without an instance."""
    expect_refusal("class Path", builtins=[("one", Path)])


def test_hooks_are_called_in_the_order_of_loading() -> None:
    """Built-in ones first, so that they are listed and started first."""
    plugins = load(None, *((name, a_plugin(name)) for name in "cab"))
    assert list(plugins.processors) == ["c", "a", "b"]


def test_routes_commands_and_life_cycles_are_handed_on() -> None:
    """Each only when it is asked for."""
    asked: list[str] = []
    life = SimpleNamespace(start=lambda: None, stop=lambda: None)

    def add(app: list[str]) -> None:
        app.append("command")

    def routes() -> list[str]:
        asked.append("routes")
        return ["handler"]

    plugins = load(
        None,
        ("routes", with_hook("logstream_routes", routes)),
        ("commands", with_hook("logstream_commands", add)),
        ("life", with_hook("logstream_lifecycle", lambda: life)),
        ("no-life", with_hook("logstream_lifecycle", lambda context: None)),
    )
    assert asked == []
    app: list[str] = []
    plugins.add_commands(app)

    assert plugins.routes() == ["handler"]
    assert app == ["command"]
    assert plugins.lifecycles(NoContext()) == [("life", life)]


def test_a_hook_that_fails_names_its_plugin() -> None:
    """Whatever it raises, and whatever nonsense it returns."""
    plugins = load(
        None,
        ("r", with_hook("logstream_routes", lambda: 1 / 0)),
        ("c", with_hook("logstream_commands", lambda app: 1 / 0)),
        ("l", with_hook("logstream_lifecycle", lambda context: 7)),
    )
    with pytest.raises(PluginError, match=r"'r'.*ZeroDivisionError"):
        plugins.routes()
    with pytest.raises(PluginError, match=r"'c'.*ZeroDivisionError"):
        plugins.add_commands(None)
    with pytest.raises(PluginError, match="'l' returned a int"):
        plugins.lifecycles(NoContext())


def test_a_processor_is_built_from_its_section_of_the_config() -> None:
    """Once for each call: workers do not share one."""
    plugins = load(None, ("p", a_plugin("pass")))
    section = ProcessorConfig(type="pass")
    first, second = (
        plugins.build_processor(section, NoContext(), where="processors[0]")
        for _ in range(2)
    )
    assert first is not second
    assert [e.message for e in first.process([an_entry("hi")])] == ["hi"]


def test_a_type_that_nobody_offers_is_an_error_in_the_config() -> None:
    """With the place, the nearest one and those that there are."""
    plugins = load(None, ("p", a_plugin("filter")))
    with pytest.raises(ConfigError) as caught:
        plugins.build_processor(
            ProcessorConfig(type="filtr"), NoContext(), where="processors[3]"
        )
    for part in ("processors[3].type", "'filtr'", "did you mean 'filter'", "known:"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("build", "error", "part"),
    [
        (lambda _, __: 1 / 0, PluginError, "ZeroDivisionError"),
        (lambda _, __: object(), PluginError, "no method `process`"),
    ],
)
def test_a_factory_that_fails_names_the_place_and_the_plugin(
    build: Any, error: type[Exception], part: str
) -> None:
    """The operator sees which of the processors it is."""
    spec = ProcessorSpec(name="bad", summary="", options=Options, build=build)
    plugins = load(None, ("p", with_hook("logstream_processors", lambda: [spec])))
    with pytest.raises(error, match=r"processors\[0\]") as caught:
        plugins.build_processor(
            ProcessorConfig(type="bad"), NoContext(), where="processors[0]"
        )
    assert part in str(caught.value)


def test_the_description_says_all_that_a_list_shows(tmp_path: Path) -> None:
    """Name, kind, origin, hooks, and what is offered with its keys."""
    plugins = load(REPO / "plugins", ("processors", "logstream.processors.plugin"))
    described = {plugin.name: plugin for plugin in plugins.describe()}

    assert list(described) == ["processors", "redact", "sample"]
    redact = described["redact"]
    assert (redact.kind, redact.enabled) == ("folder", True)
    assert redact.origin == str(REPO / "plugins" / "redact")
    assert redact.hooks == ("logstream_processors",)
    [offer] = redact.offers
    assert (offer.kind, offer.name) == ("processor", "redact")
    assert all(
        option.doc
        for plugin in described.values()
        for offer in plugin.offers
        for option in offer.options
    )


def test_loading_is_light() -> None:
    """The command line loads plugins for each `--help`."""
    code = (
        "import sys\n"
        "from logstream.config.settings import PluginsConfig\n"
        "from logstream.plugins.manager import load_plugins\n"
        "load_plugins(PluginsConfig(folder='plugins'), builtins=[\n"
        "    ('processors', 'logstream.processors.plugin')]).describe()\n"
        "heavy = {'duckdb', 'litestar', 'typer', 'httpx', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPO, timeout=150)
