"""`logstream plugins check`: what is wrong with a plugin, before it runs.

A check imports the plugin, which runs its code, and calls its hooks. Processors also
work on a sample batch, in a thread with a time limit.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec

from logstream.config.nearest import did_you_mean
from logstream.config.settings import PluginsConfig
from logstream.core.errors import ConfigError, LogStreamError
from logstream.plugins.conformance import rewrite_violations, sample_batch, violations
from logstream.plugins.contracts import BuildContext, ProcessorSpec
from logstream.plugins.discovery import (
    Candidate,
    at_path,
    find_plugins,
    import_plugin,
)
from logstream.plugins.manager import Plugins
from logstream.plugins.options import build_options, describe_options
from logstream.plugins.registration import Offered, Registry

TIMEOUT_S = 10.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    severity: Literal["ok", "note", "error"]
    """`note`: could not be looked at, or could be better. Only `error` is a failure."""
    subject: str
    """The plugin, or `processor 'redact'`."""
    text: str


def check_plugin(
    target: str,
    *,
    context: BuildContext,
    builtins: Sequence[tuple[str, object]] = (),
    config: PluginsConfig | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Finding]:
    """Check one plugin. Never raises for what the plugin does.

    Args:
        target: A file, a package's folder, or the name of a plugin that is found by
            `config` or installed.
        context: Handed to the factories.
        builtins: As for `load_plugins`.
        config: The `plugins` section; none is the same as an empty one.
        options: By processor's name: raw options to build it with, where its defaults
            are not enough.
    """
    try:
        candidate = _locate(target, builtins, config or PluginsConfig())
        registry = Registry()
        registry.register(candidate, import_plugin(candidate))
        plugins = Plugins([candidate], registry, set())
    except LogStreamError as error:
        return [Finding(severity="error", subject=target, text=str(error))]
    return [
        Finding(
            severity="ok",
            subject=candidate.label,
            text=f"imports, and has {', '.join(registry.hooks_of(candidate.name))}",
        ),
        *_check_docs(plugins),
        *_check_processors(plugins, context, options or {}),
    ]


def _locate(
    target: str, builtins: Sequence[tuple[str, object]], config: PluginsConfig
) -> Candidate:
    path = Path(target)
    if path.suffix == ".py" or "/" in target:
        if path.name == "__init__.py":
            path = path.parent
        if path.is_file() or (path / "__init__.py").is_file():
            return at_path(path.resolve())
        raise ConfigError(f"there is no plugin at {path}: a .py file or a package")
    candidates = {found.name: found for found in find_plugins(builtins, config.folder)}
    if target in candidates:
        return candidates[target]
    hint = did_you_mean(target, candidates)
    raise ConfigError(
        f"there is no plugin '{target}'{hint} (known: {', '.join(candidates)}; "
        "a path to a file works too)"
    )


def _check_docs(plugins: Plugins) -> Iterator[Finding]:
    """An option without a docstring has no help in `plugins list`."""
    kinds: tuple[tuple[str, Mapping[str, Offered[Any]]], ...] = (
        ("collector", plugins.collectors),
        ("parser", plugins.parsers),
        ("processor", plugins.processors),
    )
    for kind, offers in kinds:
        for name, offered in offers.items():
            docs = describe_options(offered.spec.options)
            if silent := [option.key for option in docs if not option.doc]:
                yield Finding(
                    severity="note",
                    subject=f"{kind} '{name}'",
                    text=f"no docstring below the options {', '.join(silent)}",
                )


def _check_processors(
    plugins: Plugins, context: BuildContext, options: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    for name, offered in plugins.processors.items():
        subject = f"processor '{name}'"
        try:
            build = _builder(offered.spec, context, options.get(name, {}))
            build()
        except LogStreamError as error:
            yield Finding(
                severity="error" if name in options else "note",
                subject=subject,
                text=f"not run, since it needs options: {error}",
            )
            continue
        except Exception as error:  # noqa: BLE001 - told to the plugin's author
            text = f"build raises {type(error).__name__}: {error}"
            yield Finding(severity="error", subject=subject, text=text)
            continue
        problems = _in_time(partial(_problems, build))
        for problem in problems:
            yield Finding(severity="error", subject=subject, text=problem)
        if not problems:
            yield Finding(severity="ok", subject=subject, text="keeps the contract")


def _builder(
    spec: ProcessorSpec, context: BuildContext, raw: Mapping[str, Any]
) -> Callable[[], Any]:
    checked = build_options(spec.options, raw, where=f"'{spec.name}'")
    return lambda: spec.build(checked, context)


def _problems(build: Callable[[], Any]) -> list[str]:
    processor = build()
    if not callable(getattr(processor, "process", None)):
        return [f"build gives a {type(processor).__name__} without a method process"]
    problems = violations(processor, sample_batch())
    if callable(getattr(processor, "rewrite", None)):
        problems += rewrite_violations(processor.rewrite())
    return problems


def _in_time(call: Callable[[], list[str]]) -> list[str]:
    """Run in a thread that is left behind when it hangs: Python cannot stop one."""
    done: list[list[str]] = []

    def run() -> None:
        try:
            done.append(call())
        except Exception as error:  # noqa: BLE001 - told to the plugin's author
            done.append([f"process raises {type(error).__name__}: {error}"])

    thread = threading.Thread(target=run, name="plugin-check", daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    return done[0] if done else [f"does not come back within {TIMEOUT_S:g} seconds"]
