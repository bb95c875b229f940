"""The documentation names what there is."""

import re
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from logstream.core import errors
from logstream.core.rejections import DEAD_REASONS, REASONS
from logstream.telemetry import metrics

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
METRICS = [
    value
    for value in vars(metrics).values()
    if isinstance(value, Counter | Gauge | Histogram)
]


def _name(metric: Counter | Gauge | Histogram) -> str:
    name = next(iter(metric.describe())).name
    return f"{name}_total" if isinstance(metric, Counter) else name


@pytest.mark.parametrize("metric", METRICS, ids=_name)
def test_every_metric_is_in_the_reference_with_its_type_and_text(
    metric: Counter | Gauge | Histogram,
) -> None:
    """An operator finds in the docs what `/metrics` shows."""
    described = next(iter(metric.describe()))
    page = (DOCS / "metrics.md").read_text()
    text = re.escape(described.documentation)
    row = rf"\| `{_name(metric)}` \| {described.type} \| [^|]* \| {text} \|"
    assert re.search(row, page)


def test_no_metric_is_documented_that_is_gone() -> None:
    page = (DOCS / "metrics.md").read_text()
    documented = set(re.findall(r"^\| `(logstream_\w+)`", page, re.MULTILINE))
    assert documented == {_name(metric) for metric in METRICS}


def test_every_reason_is_in_the_metrics_page() -> None:
    page = (DOCS / "metrics.md").read_text()
    for reason in (*REASONS, *DEAD_REASONS):
        assert f"`{reason}`" in page


def test_the_error_tree_is_drawn_whole() -> None:
    """`core/errors.py` shows every error in its first lines."""
    drawn = errors.__doc__ or ""
    classes = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.LogStreamError)
    ]
    assert all(re.search(rf"\b{one.__name__}\b", drawn) for one in classes)


def test_every_decision_is_in_the_index() -> None:
    index = (DOCS / "adr" / "README.md").read_text()
    records = {path.name for path in (DOCS / "adr").glob("0*.md")} - {
        "0000-template.md"
    }
    assert records == set(re.findall(r"\]\((0\d{3}[\w-]+\.md)\) \|", index))


def test_links_between_pages_lead_somewhere() -> None:
    """Relative links in the README and the docs name files that exist."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_test_that_the_docs_name_is_there() -> None:
    """A promise is shown by what its page says it is."""
    named = {
        found
        for page in DOCS.rglob("*.md")
        for found in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page.read_text())
    }
    missing = [
        f"{path}::{name}"
        for path, name in sorted(named)
        if not (ROOT / path).exists() or f"def {name}" not in (ROOT / path).read_text()
    ]
    assert len(named) > 10
    assert missing == []
