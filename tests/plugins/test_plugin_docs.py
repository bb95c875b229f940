"""The documentation names every hook, every processor and every key, and is true."""

import inspect
import re
from pathlib import Path

import msgspec
import pytest
import yaml

from logstream.config.settings import PluginsConfig, ProcessorConfig
from logstream.plugins import Predicate
from logstream.plugins.conformance import sample_batch, violations
from logstream.plugins.hookspecs import Hooks
from logstream.plugins.manager import Plugins, load_plugins
from logstream.plugins.options import describe_options
from logstream.plugins.registration import HOOKS
from logstream.plugins.testing import an_entry, load, processor_of
from logstream.query import compile_filter

REPO = Path(__file__).resolve().parents[2]
DOCS = REPO / "docs"

PAGES = {
    "filter": DOCS / "processors.md",
    "enrich": DOCS / "processors.md",
    "parse": DOCS / "processors.md",
    "replace": DOCS / "processors.md",
    "redact": DOCS / "plugins" / "redact.md",
    "sample": DOCS / "plugins" / "sample.md",
}


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load_plugins(
        PluginsConfig(folder=str(REPO / "plugins")),
        builtins=[("processors", "logstream.processors.plugin")],
    )


def section_of(name: str) -> str:
    """The part of its page that is about one processor."""
    text = PAGES[name].read_text(encoding="utf-8")
    found = re.search(
        rf"^##? {name}\n(.*?)(?=^##? (?:filter|enrich|replace|parse)$|\Z)",
        text,
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None
    return found[1]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_arguments(hook: str) -> None:
    """Exactly as it is written in a plugin."""
    arguments = list(inspect.signature(getattr(Hooks, hook)).parameters)[1:]
    text = (DOCS / "plugins.md").read_text(encoding="utf-8")
    assert f"`{hook}({', '.join(arguments)})`" in text


def test_every_processor_has_a_page(plugins: Plugins) -> None:
    """A new one needs one."""
    assert set(PAGES) == set(plugins.processors)


@pytest.mark.parametrize("name", PAGES)
def test_every_option_is_in_the_table(plugins: Plugins, name: str) -> None:
    """Each key, and no key that there is not."""
    keys = {key.key for key in describe_options(plugins.processors[name].spec.options)}
    table = set(re.findall(r"^\| `(\w+)` \|", section_of(name), re.MULTILINE))
    assert table & keys == keys
    assert table - keys <= {"email", "card", "ip", "token", "secret"}


def test_the_first_plugin_of_the_page_works(tmp_path: Path) -> None:
    """As it is printed."""
    text = (DOCS / "plugins.md").read_text(encoding="utf-8")
    [first, *_] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "shout.py"
    path.write_text(first, encoding="utf-8")

    shout = processor_of(path, "shout", mark="!!")
    assert [e.message for e in shout.process([an_entry("hi")])] == ["HI!!"]
    assert violations(shout, sample_batch()) == []
    [described] = load(path).describe()
    assert described.offers[0].options[0].doc == "What is put behind the message."


def test_the_examples_of_redact_are_true() -> None:
    """Each row of the table on its page."""
    rows = re.findall(
        r"^\| `([^`]*)` \| `([^`]*)` \|$", section_of("redact"), re.MULTILINE
    )
    redact = processor_of(REPO / "plugins" / "redact", "redact")
    checked = 0
    for before, after in rows:
        if "…" in before or before.startswith("{"):
            continue
        assert redact.process([an_entry(before)])[0].message == after
        checked += 1
    assert checked == 5


class Context:
    def compile_filter(self, query: str) -> Predicate:
        return compile_filter(query)


def test_every_processor_in_an_example_can_be_built(
    plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its YAML is YAML, its keys are keys, its queries and patterns compile."""
    monkeypatch.setenv("DC", "eu")
    monkeypatch.setenv("REDACT_KEY", "k" * 32)
    built = 0
    for page in set(PAGES.values()):
        for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
            example = yaml.safe_load(text)
            sections = example if isinstance(example, list) else example["processors"]
            for section in sections:
                config = msgspec.convert(section, ProcessorConfig)
                plugins.build_processor(config, Context(), where=page.name)
                built += 1
    assert built > 8


def test_every_python_example_compiles() -> None:
    """No page shows what is not Python."""
    pages = [DOCS / "plugins.md", *PAGES.values()]
    for page in pages:
        for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            compile(code, str(page), "exec")
