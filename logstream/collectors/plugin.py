"""The built-in collectors, offered as any plugin offers its own."""

from collections.abc import Sequence

from logstream.collectors import file, generate, http
from logstream.plugins.contracts import CollectorSpec
from logstream.plugins.hookspecs import hookimpl


@hookimpl
def logstream_collectors() -> Sequence[CollectorSpec]:
    return (file.SPEC, http.SPEC, generate.SPEC)
