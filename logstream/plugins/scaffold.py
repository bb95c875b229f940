"""`logstream plugins new`: a plugin that works, its test, and how to switch it on."""

import keyword
import re
import sys
from pathlib import Path
from string import Template

from logstream.core.errors import ConfigError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

_MODULE = Template('''\
"""$title: marks entries whose message holds a word. A plugin to start from.

Replace the option and `process` by your own. What is promised to you and what is
asked of you stands in the docstrings of `logstream.plugins.contracts`.
"""

from collections.abc import Sequence

import msgspec

from logstream.plugins import (
    BuildContext,
    ConfigError,
    Entry,
    Options,
    ProcessorSpec,
    hookimpl,
)


class ${cls}Options(Options, frozen=True, kw_only=True):
    """The keys under `options:` in the config file."""

    word: str = "error"
    """Entries whose message holds this word, in any case, are marked."""

    field: str = "$name"
    """The field that the mark is written to."""


class ${cls}Processor:
    """One is made for each worker, so it may keep state without a lock."""

    def __init__(self, options: ${cls}Options) -> None:
        if not options.word:
            raise ConfigError("word is empty")
        self._word = options.word.casefold()
        self._field = options.field

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        """Return the entries to keep, in order. Entries are never changed in place."""
        return [self._mark(entry) for entry in batch]

    def _mark(self, entry: Entry) -> Entry:
        if self._word not in entry.message.casefold():
            return entry
        fields = {**entry.fields, self._field: True}
        return msgspec.structs.replace(entry, fields=fields)


def build(options: ${cls}Options, context: BuildContext) -> ${cls}Processor:
    return ${cls}Processor(options)


@hookimpl
def logstream_processors() -> Sequence[ProcessorSpec]:
    return [
        ProcessorSpec(
            name="$name",
            summary="Mark entries whose message holds a word.",
            options=${cls}Options,
            build=build,
        )
    ]
''')

_TEST = Template('''\
"""Tests of the plugin $name: `pytest $folder`."""

from pathlib import Path

from logstream.plugins.conformance import sample_batch, violations
from logstream.plugins.testing import an_entry, processor_of

PLUGIN = Path(__file__).resolve().parent


def test_it_marks_entries_that_hold_the_word() -> None:
    """In any case, and nothing else."""
    processor = processor_of(PLUGIN, "$name", word="boom")
    marked, other = processor.process([an_entry("Boom!", id=1), an_entry("calm", id=2)])

    assert marked.fields == {"$name": True}
    assert other.fields == {}


def test_it_keeps_the_contract_of_processors() -> None:
    """Ids and order are kept, and the batch that came in is left alone."""
    assert violations(processor_of(PLUGIN, "$name"), sample_batch()) == []
''')

_README = Template("""\
# $name

A LogStream plugin. Switch it on in `config.yaml`: `plugins: {folder: $parent}` and
`processors: [{type: $name, options: {word: error}}]`.

    logstream plugins check $folder
    pytest $folder
""")


def scaffold(name: str, folder: Path) -> list[Path]:
    """Write a package `folder/name` that is a plugin with a processor and a test.

    Returns:
        The files written: the module, its test, the README.

    Raises:
        ConfigError: a name that cannot be used, something is there already, or the
            folder cannot be written. Nothing is overwritten.
    """
    _expect_name(name)
    target = folder / name
    for taken in (target, folder / f"{name}.py"):
        if taken.exists() or taken.is_symlink():
            raise ConfigError(f"{taken} is there already: choose another name")
    values = {
        "name": name,
        "cls": name.title().replace("_", ""),
        "title": name.replace("_", " ").capitalize(),
        "folder": str(target),
        "parent": str(folder),
    }
    texts = {
        target / "__init__.py": _MODULE,
        target / f"test_{name}.py": _TEST,
        target / "README.md": _README,
    }
    try:
        target.mkdir(parents=True)
        for path, template in texts.items():
            path.write_text(template.substitute(values), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}") from None
    return list(texts)


def _expect_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        clean = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:40]
        hint = f", such as '{clean}'" if _NAME.fullmatch(clean) else ""
        raise ConfigError(
            f"'{name}' is no name for a plugin: up to 40 lower-case letters, digits "
            f"and '_', a letter first{hint}"
        )
    if name.startswith("test_") or name == "conftest":
        raise ConfigError(f"'{name}' would be taken for a test: choose another name")
    if keyword.iskeyword(name):
        raise ConfigError(f"'{name}' is a word of Python: choose another name")
    # pytest puts the folder on the path, where it would hide the other module.
    if name in sys.stdlib_module_names or name == "logstream":
        raise ConfigError(f"'{name}' is the name of a Python module: choose another")
