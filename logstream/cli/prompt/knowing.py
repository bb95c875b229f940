"""What there is, for completion: asked once, when the prompt begins."""

from logstream.api.analyses import names_text
from logstream.cli.backend import Backend, Search
from logstream.cli.prompt.words import Known
from logstream.core.errors import LogStreamError


def known_to(backend: Backend, tables: tuple[str, ...] = ()) -> Known:
    """Without what cannot be told just now: a prompt works without any.

    Args:
        tables: Beside `logs`, for SQL.
    """
    try:
        found = backend.table(Search(text=names_text(""), limit=0))
        fields = [str(row[0]) for row in found.rows]
        sources = backend.sources()
    except LogStreamError:
        fields, sources = [], []
    return Known(fields=fields, sources=sources, tables=("logs", *tables))
