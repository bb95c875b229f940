"""Environment variables as values of the config: `LOGSTREAM_SERVER_PORT=9000`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import inspect as shapes

from logstream.config.describe import VARIABLE_PREFIX, keys, sections
from logstream.config.document import parse_document
from logstream.config.nearest import did_you_mean
from logstream.core.errors import ConfigError

CONFIG_VARIABLE = "LOGSTREAM_CONFIG"
"""Names the config file."""

SERVER_VARIABLE = "LOGSTREAM_SERVER"
"""The URL of the server that the command line talks to."""

RESERVED = (CONFIG_VARIABLE, SERVER_VARIABLE)

_FROM_KUBERNETES = re.compile(
    r"LOGSTREAM_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)"
)
"""What it sets in every pod when a service is called `logstream`."""


class Assignment(msgspec.Struct, frozen=True):
    """What one variable says."""

    variable: str
    tree: Mapping[str, Any]
    """The part of a file that says the same: `{"server": {"port": 9000}}`."""


def assignments(environ: Mapping[str, str]) -> Iterator[Assignment]:
    """What the environment sets, by name of the variable.

    An empty variable counts as not set. Text is taken as it stands; what is no text is
    read as YAML, lists and objects too.

    Raises:
        ConfigError: an unknown `LOGSTREAM_` variable, or a value that is not YAML.
    """
    known = _known()
    for variable, text in sorted(environ.items()):
        if not variable.startswith(VARIABLE_PREFIX) or variable in RESERVED or not text:
            continue
        if variable not in known:
            if _FROM_KUBERNETES.fullmatch(variable):
                continue
            hint = did_you_mean(variable, (*known, *RESERVED))
            raise ConfigError(f"unknown environment variable {variable!r}{hint}")
        path, takes_text = known[variable]
        value = text if takes_text else parse_document(text, origin=variable).value
        section, _, name = path.partition(".")
        yield Assignment(variable, {section: {name: value} if name else value})


def _known() -> dict[str, tuple[str, bool]]:
    """Variable → dotted path of its key, and whether it takes text as it stands."""
    lists = {
        section.variable: (section.name, False)
        for section in sections()
        if section.variable
    }
    return lists | {
        key.variable: (key.path, _takes_text(key.annotation))
        for key in keys()
        if key.variable
    }


def _takes_text(annotation: Any) -> bool:
    shape = shapes.type_info(annotation)
    inner = shape.types if isinstance(shape, shapes.UnionType) else (shape,)
    return any(isinstance(it, shapes.StrType | shapes.LiteralType) for it in inner)
