"""The config keys of the `http` collector, and what they are checked for."""

import os
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from logstream.collectors.http_body import Format
from logstream.core.errors import ConfigError
from logstream.plugins.contracts import Options

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")


class HttpOptions(Options, frozen=True, kw_only=True):
    url: str
    """What to ask for, with GET."""

    interval_s: Annotated[float, Meta(ge=0.1, le=86_400)] = 30.0
    """From one answer to the next question."""

    source: str | None = None
    """Source of the entries. By default the URL's host. A record that names its own
    source keeps that."""

    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Sent along. No secrets here: `headers_env` and `token_env` are for those."""

    headers_env: dict[str, str] = msgspec.field(default_factory=dict)
    """Header → environment variable that holds its value."""

    token_env: str | None = None
    """Environment variable with a token for `Authorization: Bearer …`."""

    format: Format = "auto"
    """What the answer is: `json`, `ndjson`, `lines`; `auto` looks."""

    entries_path: str | None = None
    """Dotted path to the array in the JSON, such as `data.items`. By default the whole
    answer if it is an array, else the first array under a usual name."""

    parser: str = "auto"
    """How to read a record: `auto`, or a parser's name such as `json` or `text`."""

    parser_options: dict[str, Any] = msgspec.field(default_factory=dict)
    """The parser's own keys."""

    timeout_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    """For the whole of a request."""

    max_body_bytes: Annotated[int, Meta(ge=1024, le=256 * 1_048_576)] = 16 * 1_048_576
    """A larger answer, unpacked, is not taken."""

    ca_file: str | None = None
    """Certificates to trust, in place of the system's, as a PEM file."""


def host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{shown_of(url)}: {error}") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigError(f"{shown_of(url)}: expected http://host/… or https://host/….")
    return host


def shown_of(url: str) -> str:
    """Without what may be secret: user and password, query and fragment."""
    without = re.sub(r"//[^/@]*@", "//", url)
    return re.split(r"[?#]", without, maxsplit=1)[0]


def headers_of(options: HttpOptions) -> dict[str, str]:
    found = dict(options.headers)
    for name, variable in options.headers_env.items():
        found[name] = _secret(variable)
    if options.token_env is not None:
        found["Authorization"] = f"Bearer {_secret(options.token_env)}"
    for name, value in found.items():
        if not _HEADER.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ConfigError(f"{name!r} and its value make no HTTP header.")
    return found


def _secret(variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise ConfigError(f"The environment variable {variable} is not set, or empty.")
    return value
