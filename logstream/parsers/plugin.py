"""The built-in parsers, offered as any plugin offers its own."""

from collections.abc import Sequence

from logstream.parsers import json_lines, logfmt, syslog, text
from logstream.plugins.contracts import ParserSpec
from logstream.plugins.hookspecs import hookimpl


@hookimpl
def logstream_parsers() -> Sequence[ParserSpec]:
    return (json_lines.SPEC, syslog.SPEC, logfmt.SPEC, text.SPEC)
