"""Plugins into pluggy, and their hooks called one plugin at a time.

pluggy calls a hook of all plugins at once and passes an exception on as it is. Here
each plugin's function is called by itself, first registered first, so that whatever
goes wrong is told with the plugin's name.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
import pluggy

from logstream.config.nearest import did_you_mean
from logstream.core.errors import LogStreamError, PluginError
from logstream.plugins.contracts import (
    CollectorSpec,
    Options,
    ParserSpec,
    ProcessorSpec,
)
from logstream.plugins.discovery import Candidate
from logstream.plugins.hookspecs import PROJECT, Hooks

S = TypeVar("S", CollectorSpec, ParserSpec, ProcessorSpec)

HOOKS: tuple[str, ...] = tuple(
    name for name in vars(Hooks) if name.startswith("logstream_")
)


class Offered(msgspec.Struct, Generic[S], frozen=True):
    """A spec and the name of the plugin that offers it."""

    spec: S
    plugin: str


class Registry:
    """The plugins that are switched on. Used from the main thread, at start-up."""

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager(PROJECT)
        self._pluggy.add_hookspecs(Hooks)
        self._candidates: dict[str, Candidate] = {}

    def register(self, candidate: Candidate, plugin: object) -> None:
        """Take in a plugin.

        Raises:
            PluginError: a hook is misspelt, not marked, has an argument too many, or
                there is none.
        """
        self._candidates[candidate.name] = candidate
        _expect_marked(candidate, plugin)
        try:
            self._pluggy.register(plugin, name=candidate.name)
            self._pluggy.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(_say(candidate, str(error), plugin)) from None
        if not self.hooks_of(candidate.name):
            raise PluginError(
                f"The {candidate.label} has no hook, so it does nothing. A hook is a "
                f"function marked with @hookimpl: {', '.join(HOOKS)}. A file that is "
                "no plugin gets a name that begins with '_'."
            )

    def hooks_of(self, name: str) -> tuple[str, ...]:
        """Names of the hooks that a plugin implements, as on the hooks' page."""
        callers = self._pluggy.get_hookcallers(self._pluggy.get_plugin(name)) or []
        implemented = {caller.name for caller in callers}
        return tuple(hook for hook in HOOKS if hook in implemented)

    def results(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Call a hook of every plugin that has it; plugin name and result of each.

        Raises:
            PluginError: the function raised; LogStream's own errors pass as they are.
        """
        for name in self._candidates:
            plugin = self._pluggy.get_plugin(name)
            caller = getattr(self._pluggy.hook, hook)
            for found in caller.get_hookimpls():
                if found.plugin is plugin:
                    yield name, self._call(name, found, arguments)

    def _call(
        self, name: str, found: pluggy.HookImpl, arguments: Mapping[str, Any]
    ) -> Any:
        function = found.function
        hook = getattr(function, "__name__", "a hook")
        label = self._candidates[name].label
        if found.wrapper or found.hookwrapper:
            raise PluginError(f"The {label} makes {hook} a wrapper: return a list.")
        try:
            return function(*(arguments[argument] for argument in found.argnames))
        except LogStreamError:
            raise
        except Exception as error:
            raise PluginError(
                f"The {label} failed in {hook}: {type(error).__name__}: {error}. "
                f"Repair it, or add '{name}' to plugins.disabled."
            ) from error

    def items(self, hook: str) -> Iterator[tuple[str, Any]]:
        """Like `results`, for a hook that gives a sequence: plugin and each item."""
        for name, result in self.results(hook):
            if not isinstance(result, Sequence) or isinstance(result, str):
                raise PluginError(
                    f"The {self._candidates[name].label} returned "
                    f"{_kind(result)} from {hook}: return a list."
                )
            yield from ((name, item) for item in result)

    def offers(self, hook: str, spec: type[S]) -> dict[str, Offered[S]]:
        """Everything that one kind of hook offers, by name.

        Raises:
            PluginError: not a spec, or a spec that is not whole, or two of one name.
        """
        offers: dict[str, Offered[S]] = {}
        for plugin, item in self.items(hook):
            label = self._candidates[plugin].label
            if not isinstance(item, spec):
                raise PluginError(
                    f"The {label} offers {_kind(item)} in {hook}: "
                    f"it has to be a {spec.__name__}."
                )
            if problem := _problem(item):
                raise PluginError(f"The {label}: {spec.__name__} {problem}.")
            other = offers.setdefault(item.name, Offered(item, plugin))
            if other.spec is not item:
                noun = spec.__name__.removesuffix("Spec").lower()
                raise PluginError(
                    f"The {self._candidates[other.plugin].label} and the {label} both "
                    f"offer a {noun} called '{item.name}'. Rename one, or add one of "
                    "the plugins to plugins.disabled."
                )
        return offers


def _expect_marked(candidate: Candidate, plugin: object) -> None:
    """A hook without its mark would be ignored without a word."""
    for name, found in vars(plugin).items() if hasattr(plugin, "__dict__") else ():
        if (
            name.startswith("logstream_")
            and inspect.isfunction(found)
            and not hasattr(found, f"{PROJECT}_impl")
        ):
            raise PluginError(
                f"The {candidate.label} has a function {name} that is not marked: "
                "write @hookimpl above it (from logstream.plugins import hookimpl)."
            )


def _say(candidate: Candidate, problem: str, plugin: object) -> str:
    unknown = next(
        (
            name
            for name in dir(plugin)
            if name not in HOOKS
            and hasattr(getattr(plugin, name, None), f"{PROJECT}_impl")
        ),
        None,
    )
    if unknown is not None:
        hint = did_you_mean(unknown, HOOKS)
        hint = hint or f". Hooks are {', '.join(HOOKS)}."
        return f"The {candidate.label} has the unknown hook '{unknown}'{hint}"
    return f"The {candidate.label} cannot be registered: {' '.join(problem.split())}"


def _problem(spec: Any) -> str | None:
    if not isinstance(spec.name, str) or not spec.name.replace("-", "_").isidentifier():
        return f"name {spec.name!r} has to be one word of letters, digits, '-', '_'"
    if not (isinstance(spec.options, type) and issubclass(spec.options, Options)):
        return f"'{spec.name}': options has to be a subclass of Options"
    if not callable(spec.build):
        return f"'{spec.name}': build has to be callable"
    return None


def _kind(value: object) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"
