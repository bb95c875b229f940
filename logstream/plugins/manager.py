"""All plugins that are switched on, and what they offer, by name.

Loaded once, at start-up, by the server and by the command line; nothing here is on
the path of an entry. Loading imports the plugins and asks them for their specs; it
builds nothing and opens nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from logstream.config.nearest import did_you_mean
from logstream.config.settings import PluginsConfig, ProcessorConfig
from logstream.core.errors import ConfigError, PluginError, QuerySyntaxError
from logstream.plugins.contracts import (
    BuildContext,
    Collector,
    CollectorContext,
    CollectorSpec,
    Lifecycle,
    Parser,
    ParserSpec,
    Processor,
    ProcessorSpec,
)
from logstream.plugins.discovery import (
    Candidate,
    PluginKind,
    find_plugins,
    import_plugin,
)
from logstream.plugins.options import OptionDoc, build_options, describe_options
from logstream.plugins.registration import Offered, Registry, S


class OfferDescription(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    """`collector`, `parser` or `processor`."""
    name: str
    """What stands after `type:` in the config file."""
    summary: str
    options: tuple[OptionDoc, ...]


class PluginDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin, for `logstream plugins list` and `GET /api/v1/plugins`."""

    name: str
    kind: PluginKind
    origin: str
    """`built-in`, `entry point of geo 1.2`, or a path."""
    enabled: bool
    """False: named in `plugins.disabled`, and not imported."""
    hooks: tuple[str, ...] = ()
    offers: tuple[OfferDescription, ...] = ()


class Plugins:
    """What the plugins offer. Immutable once made; read it from any thread."""

    collectors: Mapping[str, Offered[CollectorSpec]]
    parsers: Mapping[str, Offered[ParserSpec]]
    processors: Mapping[str, Offered[ProcessorSpec]]

    def __init__(
        self, candidates: Sequence[Candidate], registry: Registry, disabled: set[str]
    ) -> None:
        self._candidates = candidates
        self._registry = registry
        self._disabled = disabled
        self.collectors = registry.offers("logstream_collectors", CollectorSpec)
        self.parsers = registry.offers("logstream_parsers", ParserSpec)
        self.processors = registry.offers("logstream_processors", ProcessorSpec)
        self._schemes = _schemes(self.collectors)

    def processor(self, name: str) -> Offered[ProcessorSpec]:
        """The processor type of this name. Raises ConfigError: there is none."""
        return _find(self.processors, name, "processor")

    def collector(self, name: str) -> Offered[CollectorSpec]:
        """The collector type of this name. Raises ConfigError: there is none."""
        return _find(self.collectors, name, "collector")

    def parser(self, name: str) -> Offered[ParserSpec]:
        """The parser of this name. Raises ConfigError: there is none."""
        return _find(self.parsers, name, "parser")

    def collector_of_scheme(self, scheme: str) -> Offered[CollectorSpec]:
        """Who reads URLs of this scheme. Raises ConfigError: nobody does."""
        return _find(self._schemes, scheme, "collector for URLs")

    def build_processor(
        self, config: ProcessorConfig, context: BuildContext, *, where: str
    ) -> Processor:
        """Make one processor from its section of the config file.

        Call it once for each worker.

        Args:
            config: The section.
            context: Handed to the plugin's factory.
            where: The section's place, such as `processors[0]`; begins every error.

        Raises:
            ConfigError: no such type, or options that it does not take.
            PluginError: the factory failed.
        """
        try:
            offered = self.processor(config.type)
        except ConfigError as error:
            raise ConfigError(f"{where}.type: {error}") from None
        made = _build(offered, config.options, context, f"{where}.options")
        if not callable(getattr(made, "process", None)):
            raise PluginError(
                f"{where}: plugin '{offered.plugin}' built a {type(made).__name__} as "
                f"processor '{config.type}', which has no method `process`."
            )
        return made  # type: ignore[no-any-return]  # looked at just above

    def build_parser(
        self, name: str, raw: Mapping[str, Any], context: BuildContext, *, where: str
    ) -> Parser:
        """Make one parser. Raises as `build_processor` does."""
        made: Parser = _build(self.parser(name), raw, context, where)
        return made

    def build_collector(
        self, type_name: str, raw: Mapping[str, Any], context: CollectorContext
    ) -> Collector:
        """Make one collector; `context.name` says which in every error.

        Raises as `build_processor` does.
        """
        where = f"collector '{context.name}'"
        made: Collector = _build(self.collector(type_name), raw, context, where)
        return made

    def routes(self) -> list[Any]:
        """Litestar handlers of all plugins. Raises PluginError."""
        return [handler for _, handler in self._registry.items("logstream_routes")]

    def add_commands(self, app: Any) -> None:
        """Let the plugins add to the command line. Raises PluginError."""
        for _ in self._registry.results("logstream_commands", app=app):
            pass

    def lifecycles(self, context: BuildContext) -> list[tuple[str, Lifecycle]]:
        """Plugin name and object, in the order to start them. Raises PluginError."""
        found = []
        for name, made in self._registry.results(
            "logstream_lifecycle", context=context
        ):
            if made is None:
                continue
            if not (callable(getattr(made, "start", None)) and hasattr(made, "stop")):
                raise PluginError(
                    f"Plugin '{name}' returned a {type(made).__name__} from "
                    "logstream_lifecycle: it needs the methods start and stop."
                )
            found.append((name, made))
        return found

    def describe(self) -> list[PluginDescription]:
        """Every plugin that was found, in the order of loading, disabled ones too."""
        return [
            PluginDescription(
                name=candidate.name,
                kind=candidate.kind,
                origin=candidate.origin,
                enabled=candidate.name not in self._disabled,
                hooks=(
                    ()
                    if candidate.name in self._disabled
                    else self._registry.hooks_of(candidate.name)
                ),
                offers=tuple(self._offers_of(candidate.name)),
            )
            for candidate in self._candidates
        ]

    def _offers_of(self, plugin: str) -> list[OfferDescription]:
        kinds: dict[str, Mapping[str, Offered[Any]]] = {
            "collector": self.collectors,
            "parser": self.parsers,
            "processor": self.processors,
        }
        return [
            OfferDescription(
                kind=kind,
                name=name,
                summary=offered.spec.summary,
                options=describe_options(offered.spec.options),
            )
            for kind, offers in kinds.items()
            for name, offered in offers.items()
            if offered.plugin == plugin
        ]


def load_plugins(
    config: PluginsConfig, *, builtins: Sequence[tuple[str, object]]
) -> Plugins:
    """Find the plugins, import those that are switched on, and ask what they offer.

    Args:
        config: The `plugins` section.
        builtins: Name and module (or its dotted name) of each built-in plugin.

    Raises:
        ConfigError: the folder is not one.
        PluginError: names the plugin, what is wrong, and what to do.
    """
    candidates = find_plugins(builtins, config.folder)
    names = [candidate.name for candidate in candidates]
    for name in config.disabled:
        if name not in names:
            hint = did_you_mean(name, names) or f". There are {', '.join(names)}."
            raise PluginError(
                f"plugins.disabled names '{name}', and there is no such plugin{hint}"
            )
    registry = Registry()
    disabled = set(config.disabled)
    for candidate in candidates:
        if candidate.name not in disabled:
            registry.register(candidate, import_plugin(candidate))
    return Plugins(candidates, registry, disabled)


def _find(offers: Mapping[str, Offered[S]], name: str, noun: str) -> Offered[S]:
    if found := offers.get(name):
        return found
    known = ", ".join(sorted(offers)) or "none"
    raise ConfigError(
        f"there is no {noun} '{name}'{did_you_mean(name, offers)} (known: {known}; "
        "more come from plugins.folder and from installed packages)"
    )


def _schemes(
    collectors: Mapping[str, Offered[CollectorSpec]],
) -> dict[str, Offered[CollectorSpec]]:
    schemes: dict[str, Offered[CollectorSpec]] = {}
    for offered in collectors.values():
        for scheme in offered.spec.schemes:
            other = schemes.setdefault(scheme, offered)
            if other is not offered:
                raise PluginError(
                    f"Plugin '{other.plugin}' and plugin '{offered.plugin}' both offer "
                    f"a collector for {scheme}:// URLs. Add one of them to "
                    "plugins.disabled."
                )
    return schemes


def _build(
    offered: Offered[Any], raw: Mapping[str, Any], context: BuildContext, where: str
) -> Any:
    spec = offered.spec
    place = f"{where} ('{spec.name}', of plugin '{offered.plugin}')"
    options = build_options(spec.options, raw, where=place)
    try:
        return spec.build(options, context)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None
    except QuerySyntaxError as error:
        raise ConfigError(f"{place}: {error} (at offset {error.offset})") from None
    except Exception as error:
        raise PluginError(
            f"{place}: could not be built: {type(error).__name__}: {error}"
        ) from error
