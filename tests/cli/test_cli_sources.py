"""`--sources` and the other things that are typed."""

from typing import Any

import msgspec
import pytest

from logstream.cli.asking import sort_of
from logstream.cli.commands.collect import seconds_of
from logstream.cli.commands.serve import greeting, with_demo
from logstream.cli.connect import configured_url
from logstream.cli.pointing import caret
from logstream.cli.sources import collectors_of, split_sources
from logstream.config.settings import ServerConfig, Settings
from logstream.core.errors import BadRequest, ConfigError
from logstream.plugins.contracts import CollectorSpec, Options
from logstream.plugins.registration import Offered


class FileOptions(Options, frozen=True, kw_only=True):
    path: str
    parser: str = "auto"


class PollOptions(Options, frozen=True, kw_only=True):
    url: str
    interval_s: float = 60


def spec(name: str, options: type[Options], key: str, *schemes: str) -> CollectorSpec:
    return CollectorSpec(
        name=name,
        summary=name,
        options=options,
        build=lambda *_: None,  # type: ignore[arg-type]
        schemes=schemes,
        options_of_url=lambda url: {key: url},
    )


class TwoCollectors:
    def collector_of_scheme(self, scheme: str) -> Offered[CollectorSpec]:
        if scheme == "file":
            return Offered(spec("file", FileOptions, "path", "file"), "files")
        if scheme in ("http", "https"):
            return Offered(spec("http", PollOptions, "url", "http", "https"), "http")
        raise ConfigError(f"nobody reads {scheme}")


def test_a_path_with_a_percent_sign_stays_that_path() -> None:
    (made,) = collectors_of(["/a%20b"], TwoCollectors(), {})  # type: ignore[arg-type]
    assert made.options["path"] == "file:///a%2520b"


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["file:///a,https://h/x?y=1,2"], ["file:///a", "https://h/x?y=1,2"]),
        (["/a.log,/b.log", "./c.log"], ["/a.log", "/b.log", "./c.log"]),
        (["/a.log,./b,../c,~/d"], ["/a.log", "./b", "../c", "~/d"]),
        (["/a", "/a"], ["/a"]),
        ([" ", ""], []),
    ],
)
def test_sources_part_at_commas_before_a_url_or_path(
    texts: list[str], wanted: list[str]
) -> None:
    assert split_sources(texts) == wanted


def test_each_source_goes_to_who_reads_it(tmp_path: Any, monkeypatch: Any) -> None:
    """A path is a file, and its collector's name stays the same from anywhere."""
    monkeypatch.chdir(tmp_path)
    made = collectors_of(
        ["app.log", "https://h/x"],
        TwoCollectors(),  # type: ignore[arg-type]
        {"parser": "json", "interval_s": 5.0, "source": None},
    )
    path = f"file://{tmp_path}/app.log"
    assert [(one.type, one.name, one.options) for one in made] == [
        ("file", path, {"path": path, "parser": "json"}),
        ("http", "https://h/x", {"url": "https://h/x", "interval_s": 5.0}),
    ]


def test_a_flag_that_no_source_takes_is_refused() -> None:
    with pytest.raises(ConfigError, match="--interval: none"):
        collectors_of(["/a"], TwoCollectors(), {"interval_s": 5.0})  # type: ignore[arg-type]


def test_sorting_is_a_field_and_a_direction() -> None:
    assert sort_of("timestamp") == ("timestamp", True)
    assert sort_of("timestamp:asc") == ("timestamp", False)
    assert sort_of("a:b:DESC") == ("a:b", True)
    for wrong in ("", "a:up", "a:", ":asc", "timestamp:ascending"):
        with pytest.raises(BadRequest, match="write :asc or :desc"):
            sort_of(wrong)


def test_an_interval_is_a_length_of_time() -> None:
    assert seconds_of(None) is None
    assert seconds_of("1m30s") == 90
    with pytest.raises(BadRequest, match="2h30m"):
        seconds_of("often")


def test_a_caret_stays_on_the_screen() -> None:
    assert caret("a b", 2) == "    a b\n      ^"
    line, mark = caret("x" * 500 + "!", 500).splitlines()
    assert line[mark.index("^")] == "!"
    assert len(line) < 80


def test_the_demo_is_one_more_collector() -> None:
    settings = with_demo(Settings())
    assert [one.name for one in settings.collectors] == ["demo"]
    assert with_demo(settings) == settings


def test_the_greeting_says_what_works_as_it_stands() -> None:
    """Where the default address does not lead to the server, a line sets it."""

    def text(port: int) -> str:
        settings = msgspec.structs.replace(Settings(), server=ServerConfig(port=port))
        return "\n".join(line for line, _ in greeting(settings, None, program="it"))

    assert "LOGSTREAM_SERVER" not in text(8000)
    assert "it query" in text(8000)
    assert "http://127.0.0.1:8000/docs" in text(8000)
    assert "export LOGSTREAM_SERVER=http://127.0.0.1:9000" in text(9000)
    assert ":0" not in text(0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("fe80::1", "http://[fe80::1]:8000"),
        ("logs.local", "http://logs.local:8000"),
    ],
)
def test_the_configured_server_is_called_where_it_listens(host: str, url: str) -> None:
    settings = msgspec.structs.replace(Settings(), server=ServerConfig(host=host))
    assert configured_url(settings) == url
