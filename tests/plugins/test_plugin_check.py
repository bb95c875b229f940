"""`plugins check` finds what would go wrong later."""

from pathlib import Path

import pytest

from logstream.config.settings import PluginsConfig
from logstream.plugins import check
from logstream.plugins.check import Finding, check_plugin
from logstream.plugins.testing import NoContext

REPO = Path(__file__).resolve().parents[2]

PLUGIN = '''\
from msgspec.structs import replace
from logstream.plugins import (
    Entry, Options, ProcessorSpec, Rewrite, Sql, hookimpl, per_entry)

class O(Options, frozen=True, kw_only=True):
    key: str{default}
    """Help."""

class P:
    def process(self, batch):
        {process}

    def rewrite(self):
        {rewrite}

@hookimpl
def logstream_processors():
    return [ProcessorSpec(name="it", summary="", options=O, build=lambda o, c: P())]
'''


def findings_of(
    folder: Path,
    *,
    process: str = "return list(batch)",
    rewrite: str = "return None",
    default: str = ' = ""',
    options: dict[str, str] | None = None,
) -> list[Finding]:
    path = folder / "it.py"
    path.write_text(PLUGIN.format(process=process, rewrite=rewrite, default=default))
    given = {"it": options} if options is not None else None
    return check_plugin(str(path), context=NoContext(), options=given)


def errors_of(findings: list[Finding]) -> list[str]:
    return [finding.text for finding in findings if finding.severity == "error"]


def test_a_good_plugin_has_no_errors(tmp_path: Path) -> None:
    """And what was looked at is said."""
    findings = findings_of(tmp_path)
    assert errors_of(findings) == []
    assert [finding.text for finding in findings] == [
        "imports, and has logstream_processors",
        "keeps the contract",
    ]


@pytest.mark.parametrize(
    ("process", "part"),
    [
        ("return [replace(e, id=e.id + 1000000) for e in batch]", "was not in the"),
        ("return [e for e in batch for _ in range(2)]", "more than once"),
        ("return list(batch)[::-1]", "another order"),
        ("[e.fields.update(x=1) for e in batch]; return batch", "input is modified"),
        ("return [dict(id=e.id) for e in batch]", "a dict is among"),
        ("return (e for e in batch)", "returns a generator"),
        ("return None", "returns a NoneType"),
        ("return [replace(e, message=None) for e in batch]", "message that is no text"),
        ("return [replace(e, timestamp='now') for e in batch]", "timestamp"),
        ("return [replace(e, fields=None) for e in batch]", "no dict"),
        ("return [replace(e, fields={'x': object()}) for e in batch]", "JSON"),
        ("return [replace(e, fields={'x': (1,)}) for e in batch]", "JSON"),
        ("raise KeyError('boom')", "KeyError"),
        (
            "return batch or [Entry(timestamp='', source='', level='', message='')]",
            "empty batch",
        ),
    ],
)
def test_every_breach_of_the_contract_is_found(
    tmp_path: Path, process: str, part: str
) -> None:
    """Each in words that say what to do."""
    found = errors_of(findings_of(tmp_path, process=process))
    assert len(found) == 1
    assert part in found[0]


@pytest.mark.parametrize(
    ("rewrite", "part"),
    [
        ("return Rewrite(columns={'fields': Sql('1')})", "column 'fields'"),
        ("return Rewrite(keep=Sql('level = ?'))", "1 marks '?' and 0 parameters"),
        ("return 'TRUE'", "returns a str"),
        ("return Rewrite(keep='TRUE')", "a str where a Sql"),
    ],
)
def test_a_wrong_rewrite_is_found(tmp_path: Path, rewrite: str, part: str) -> None:
    """Before it reaches a database."""
    [found] = errors_of(findings_of(tmp_path, rewrite=rewrite))
    assert part in found


def test_marks_inside_quotes_are_no_parameters(tmp_path: Path) -> None:
    """A literal may hold a question mark."""
    rewrite = "return Rewrite(keep=Sql(\"message = 'a?' AND level = ?\", ('x',)))"
    assert errors_of(findings_of(tmp_path, rewrite=rewrite)) == []


def test_a_processor_that_needs_options_says_which(tmp_path: Path) -> None:
    """That is no failure; with the options it is run."""
    findings = findings_of(tmp_path, default="")
    assert errors_of(findings) == []
    assert "missing required field `key`" in findings[-1].text
    again = tmp_path / "again"
    again.mkdir()
    findings = findings_of(again, default="", options={"key": "x"})
    assert findings[-1].text == "keeps the contract"


def test_options_that_are_given_and_wrong_are_an_error(tmp_path: Path) -> None:
    """They are the ones that will be used."""
    [found] = errors_of(findings_of(tmp_path, options={"kye": "x"}))
    assert "did you mean 'key'" in found


def test_a_processor_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check ends."""
    monkeypatch.setattr(check, "TIMEOUT_S", 0.2)
    hang = "import threading; threading.Event().wait(10); return batch"
    [found] = errors_of(findings_of(tmp_path, process=hang))
    assert "does not come back" in found


def test_what_does_not_import_is_one_finding(tmp_path: Path) -> None:
    """With the reason that the start would give."""
    (tmp_path / "bad.py").write_text("1 / 0")
    [found] = check_plugin(str(tmp_path / "bad.py"), context=NoContext())
    assert found.severity == "error"
    assert "ZeroDivisionError" in found.text


def test_a_plugin_is_checked_by_its_name_too(tmp_path: Path) -> None:
    """Built-in, installed or in the folder."""
    config = PluginsConfig(folder=str(REPO / "plugins"))
    builtins = [("processors", "logstream.processors.plugin")]
    found = check_plugin("redact", context=NoContext(), config=config)
    assert errors_of(found) == []
    assert found[-1].text == "keeps the contract"
    found = check_plugin("processors", context=NoContext(), builtins=builtins)
    assert errors_of(found) == []
    assert "give a query" in "".join(finding.text for finding in found)
    [found_none] = check_plugin("redcat", context=NoContext(), config=config)
    assert "did you mean 'redact'" in found_none.text
    [found_none] = check_plugin(str(tmp_path / "no.py"), context=NoContext())
    assert "no plugin at" in found_none.text
