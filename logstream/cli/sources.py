"""`--sources` to collectors: which type reads a URL, with which options and name."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from logstream.config.settings import CollectorConfig
from logstream.core.errors import ConfigError

if TYPE_CHECKING:
    from logstream.plugins.manager import Plugins

# A comma parts two sources where a URL or a path begins after it; others belong to
# the query string of a URL.
_COMMA = re.compile(r",(?=[A-Za-z][A-Za-z0-9+.-]*:|/|~|\.{1,2}/)")


def split_sources(texts: Sequence[str]) -> list[str]:
    """`a,b` and repeated flags as one list, without repeats."""
    parts = (part.strip() for text in texts for part in _COMMA.split(text))
    return list(dict.fromkeys(part for part in parts if part))


def collectors_of(
    sources: Sequence[str], plugins: "Plugins", extra: Mapping[str, Any]
) -> list[CollectorConfig]:
    """One collector for each source, named by it.

    Args:
        sources: URLs, or paths of files.
        extra: Options given by flags; each collector gets those that it has. None as
            a value: not given.

    Raises:
        ConfigError: nobody reads such a URL, or no source takes an option.
    """
    given = {key: value for key, value in extra.items() if value is not None}
    used: set[str] = set()
    made = []
    for source in sources:
        url = source if _is_url(source) else _file_url(source)
        spec = plugins.collector_of_scheme(urlsplit(url).scheme).spec
        assert spec.options_of_url is not None, "a scheme comes with it"
        keys = {field.encode_name for field in msgspec.structs.fields(spec.options)}
        fitting = {key: value for key, value in given.items() if key in keys}
        used |= fitting.keys()
        options = {**spec.options_of_url(url), **fitting}
        made.append(CollectorConfig(type=spec.name, name=url, options=options))
    if unused := sorted(given.keys() - used):
        flags = ", ".join(f"--{key.removesuffix('_s')}" for key in unused)
        raise ConfigError(f"{flags}: none of the sources takes this.")
    return made


def _is_url(source: str) -> bool:
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", source) is not None


def _file_url(path: str) -> str:
    """A path or pattern; only the sign that a URL would take away is written apart."""
    return f"file://{Path(path).expanduser().absolute()}".replace("%", "%25")
