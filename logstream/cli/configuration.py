"""Flags, environment and config file to settings, the same way in every command."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logstream.config.load import Loaded
    from logstream.config.settings import Settings
    from logstream.plugins.manager import Plugins


def load(
    config: Path | None,
    *,
    data: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> "Loaded":
    """The settings in effect.

    Raises:
        ConfigError: all that is wrong with them.
    """
    from logstream.config.load import load_settings

    flags = {"storage.path": data, **(overrides or {})}
    return load_settings(config, environ=os.environ, overrides=flags)


def plugins_of(settings: "Settings") -> "Plugins":
    """Load the plugins that are switched on.

    Raises:
        PluginError, ConfigError: names the plugin and what to do.
    """
    from logstream.plugins.manager import load_plugins
    from logstream.runtime.builtins import BUILTINS

    return load_plugins(settings.plugins, builtins=BUILTINS)


def added_plugins_of(settings: "Settings") -> "Plugins":
    """The same without the built-in ones, which take longer to import.

    Raises:
        PluginError, ConfigError: names the plugin and what to do.
    """
    import msgspec

    from logstream.plugins.manager import load_plugins
    from logstream.runtime.builtins import BUILTINS

    ours = {name for name, _ in BUILTINS}
    disabled = tuple(name for name in settings.plugins.disabled if name not in ours)
    config = msgspec.structs.replace(settings.plugins, disabled=disabled)
    return load_plugins(config, builtins=())
