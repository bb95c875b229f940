"""What an answer is written as: `?format=` says so, or else `Accept`, or else JSON."""

from collections.abc import Iterator, Mapping
from typing import Literal

from logstream.api.bodies import AnyRequest
from logstream.api.errors import NotAcceptable

FormatName = Literal["json", "ndjson", "csv", "arrow", "parquet", "table"]

MEDIA_TYPES: Mapping[FormatName, str] = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
    "table": "application/json",
}

_ACCEPTED: Mapping[str, FormatName] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "text/csv": "csv",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.parquet": "parquet",
    "*/*": "json",
    "application/*": "json",
    "text/*": "csv",
}


def format_of(request: AnyRequest, asked: FormatName | None) -> FormatName:
    """Of those that `Accept` names, the one it likes best; of equals, the first.

    Raises:
        NotAcceptable: it names only what is not spoken here.
    """
    if asked is not None:
        return asked
    header = request.headers.get("accept", "").strip()
    if not header:
        return "json"
    wishes = [
        (quality, -media.count("*"), _ACCEPTED[media])
        for media, quality in _wishes(header)
        if quality > 0 and media in _ACCEPTED
    ]
    if not wishes:
        raise NotAcceptable(
            "Nothing that Accept names is spoken here: ask for "
            f"{', '.join(dict.fromkeys(MEDIA_TYPES.values()))}, or say format=json."
        )
    return max(wishes, key=lambda wish: wish[:2])[2]


def _wishes(header: str) -> Iterator[tuple[str, float]]:
    """Each media type with its quality; a quality that is none counts as 1."""
    for item in header.split(","):
        media, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 1.0
        yield media, quality
