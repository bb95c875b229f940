"""Settings from file, environment and flags, and what each mistake is told."""

import os
from pathlib import Path

import pytest

from logstream.config.load import Loaded, load_settings, parse_settings
from logstream.config.settings import ProcessorConfig, Settings
from logstream.core.errors import ConfigError


def parsed(text: str = "", **rest: dict[str, str]) -> Loaded:
    return parse_settings(text, origin="config.yaml", **rest)


def expect_problems(
    *expected: str,
    text: str = "",
    environ: dict[str, str] | None = None,
    overrides: dict[str, object] | None = None,
) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_settings(text, origin="config.yaml", environ=environ, overrides=overrides)
    assert str(refused.value).split("\n") == list(expected)


def test_nothing_means_all_defaults() -> None:
    loaded = parsed()
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}


def test_a_section_with_nothing_in_it_has_its_defaults() -> None:
    assert parsed("server:\nprocessors:\n").settings == Settings()


def test_flag_goes_above_environment_above_file_above_default() -> None:
    text = "server: {port: 1, host: file, body_timeout_s: 5}\n"
    environ = {"LOGSTREAM_SERVER_PORT": "2", "LOGSTREAM_SERVER_HOST": "environment"}
    loaded = parse_settings(
        text, origin="f", environ=environ, overrides={"server.port": 3}
    )
    server = loaded.settings.server
    assert (server.port, server.host, server.body_timeout_s) == (3, "environment", 5.0)
    assert loaded.origins["server.port"] == "flag"
    assert loaded.origins["server.host"] == "environment"
    assert loaded.origins["server.body_timeout_s"] == "file"
    assert loaded.origins["log.level"] == "default"


def test_a_flag_that_is_none_was_not_given() -> None:
    loaded = parse_settings("", origin="f", overrides={"server.port": None})
    assert loaded.origins["server.port"] == "default"


def test_a_list_in_the_environment_replaces_the_files() -> None:
    loaded = parsed(
        "processors: [{type: enrich}, {type: parse}]",
        environ={"LOGSTREAM_PROCESSORS": "[{type: filter, options: {drop: x}}]"},
    )
    filtered = ProcessorConfig(type="filter", options={"drop": "x"})
    assert loaded.settings.processors == (filtered,)
    assert loaded.origins["processors"] == "environment"


@pytest.mark.parametrize("text", ["no", "5", "[a", "null", "a: b", "\udcff"])
def test_text_in_a_variable_is_taken_as_it_stands(text: str) -> None:
    loaded = parsed(environ={"LOGSTREAM_STORAGE_PATH": text})
    assert loaded.settings.storage.path == text


def test_an_empty_variable_is_not_set() -> None:
    environ = {"LOGSTREAM_SERVER_PORT": "", "LOGSTREAM_SEVER": ""}
    assert parsed(environ=environ).settings == Settings()


def test_other_variables_do_not_matter() -> None:
    environ = {
        "PATH": "x",
        "LOGSTREAM_CONFIG": "x",
        "LOGSTREAM_SERVER": "http://127.0.0.1:8000",
        "LOGSTREAM_SERVICE_HOST": "10.0.0.1",
        "LOGSTREAM_SERVICE_PORT_HTTP": "8000",
        "LOGSTREAM_PORT": "tcp://10.0.0.1:8000",
        "LOGSTREAM_PORT_8000_TCP_ADDR": "10.0.0.1",
    }
    assert parsed(environ=environ).settings == Settings()


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    expect_problems(
        "config.yaml: unknown key 'prot' in 'server': did you mean 'port'? (line 2)",
        text="server:\n  prot: 1",
    )
    expect_problems(
        "config.yaml: unknown key 'sevrer': did you mean 'server'? (line 1)",
        text="sevrer: {}",
    )
    expect_problems(
        "config.yaml: unknown key 'option' in 'processors[1]': "
        "did you mean 'options'? (line 3)",
        text="processors:\n- type: a\n- {type: b, option: {}}",
    )
    expect_problems("config.yaml: unknown key 'xyzzy' (line 1)", text="xyzzy: 1")


def test_an_unknown_variable_is_refused_with_the_nearest() -> None:
    expect_problems(
        "unknown environment variable 'LOGSTREAM_SEVER_PORT': "
        "did you mean 'LOGSTREAM_SERVER_PORT'?",
        environ={"LOGSTREAM_SEVER_PORT": "1"},
    )


def test_every_problem_is_told_at_once() -> None:
    expect_problems(
        "config.yaml: server.port: expected an integer from 0 to 65535, got 70000"
        " (line 1)",
        "config.yaml: log.level: expected one of debug, info, warn, error, got 'loud'"
        " (line 2)",
        "LOGSTREAM_WORKERS_COUNT: workers.count: expected an integer from 1 to 64, "
        "got 'many'",
        "flags: query.timeout_s: expected a number above 0, got -1",
        text="server: {port: 70000}\nlog: {level: loud}",
        environ={"LOGSTREAM_WORKERS_COUNT": "many"},
        overrides={"query.timeout_s": -1},
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1]", "config.yaml: expected sections such as 'server:', got [1]"),
        ("server: 5", "config.yaml: server: expected an object, got 5 (line 1)"),
        (
            "processors: {type: a}",
            (
                "config.yaml: processors: expected a list of objects, "
                'got {"type":"a"} (line 1)'
            ),
        ),
        (
            "processors: [a]",
            "config.yaml: processors[0]: expected an object, got 'a' (line 1)",
        ),
        (
            "collectors: [{type: file}]",
            "config.yaml: collectors[0]: the key 'name' is missing (line 1)",
        ),
        (
            "server: {port: true}",
            (
                "config.yaml: server.port: expected an integer from 0 to 65535, "
                "got true (line 1)"
            ),
        ),
        (
            "plugins: {disabled: [a, 5]}",
            (
                "config.yaml: plugins.disabled: expected a list, each item text, "
                'got ["a",5] (line 1)'
            ),
        ),
        (
            "query: {max_limit: 50}",
            (
                "query.default_limit is 100 (default), above query.max_limit, "
                "which is 50 (file)"
            ),
        ),
        (
            "collectors: [{type: a, name: n}, {type: b, name: n}]",
            "collectors (file): the name 'n' repeats",
        ),
    ],
)
def test_a_wrong_value_is_told_with_what_was_expected(text: str, expected: str) -> None:
    expect_problems(expected, text=text)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(f"server: {{port: {'x' * 500}}}")
    assert len(str(refused.value)) < 200


def test_broken_yaml_in_a_variable_names_the_variable() -> None:
    with pytest.raises(ConfigError, match=r"^LOGSTREAM_PROCESSORS:\d: is not YAML"):
        parsed(environ={"LOGSTREAM_PROCESSORS": "[{"})


def test_the_file_is_the_flags_then_the_variables_then_the_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, environ={}).path is None
    for port, name in enumerate(("logstream.yaml", "variable.yaml", "flag.yaml")):
        Path(name).write_text(f"server: {{port: {port}}}", encoding="utf-8")

    def port_of(path: Path | None, environ: dict[str, str]) -> int:
        return load_settings(path, environ=environ).settings.server.port

    environ = {"LOGSTREAM_CONFIG": "variable.yaml"}
    assert port_of(None, {}) == 0
    assert port_of(None, environ) == 1
    assert port_of(Path("flag.yaml"), environ) == 2
    assert load_settings(None, environ=environ).path == Path("variable.yaml")


def expect_unreadable(path: Path, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(path, environ={})
    assert str(refused.value) == f"{path}{expected}"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    expect_unreadable(
        tmp_path / "none.yaml", ": cannot be read: No such file or directory"
    )
    expect_unreadable(tmp_path, ": cannot be read: Is a directory")


def test_a_file_that_is_not_utf_8_is_named_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"a: 1\nb: \xe4\n")
    expect_unreadable(file, ":2: is not UTF-8")


@pytest.mark.parametrize("character", ["x", "ä"])
def test_a_huge_file_is_refused(tmp_path: Path, character: str) -> None:
    file = tmp_path / "huge.yaml"
    file.write_text("#" + character * 1_048_576, encoding="utf-8")
    expect_unreadable(file, ": is larger than 1048576 bytes")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "marked.yaml"
    file.write_text("\ufeffserver: {port: 5}", encoding="utf-8")
    assert load_settings(file, environ={}).settings.server.port == 5


def test_a_home_folder_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "c.yaml").write_text("server: {port: 5}", encoding="utf-8")
    loaded = load_settings(None, environ={"LOGSTREAM_CONFIG": f"~{os.sep}c.yaml"})
    assert loaded.settings.server.port == 5
