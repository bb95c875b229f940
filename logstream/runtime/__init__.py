"""The only place that constructs and wires."""

from pathlib import Path

from logstream.config.settings import Settings
from logstream.plugins.manager import Plugins


def serve(
    settings: Settings, plugins: Plugins, *, config_path: Path | None = None
) -> None:
    """Run the server: see `runtime.serving.serve`. Imports it only now."""
    from logstream.runtime.serving import serve as run

    run(settings, plugins, config_path=config_path)
