"""What the headers of a request with entries say: its form, and where readers stand."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from logstream.api.bodies import AnyRequest
from logstream.api.errors import UnsupportedMediaType
from logstream.api.parameters import where
from logstream.core.errors import BadRequest

POSITIONS_HEADER = "LogStream-Positions"
MAX_POSITION_NAME_CHARS = 512

Form = Literal["json", "lines", "sniff"]

_FORMS: dict[str, Form] = {
    "application/json": "json",
    "text/json": "json",
    "application/x-ndjson": "lines",
    "application/ndjson": "lines",
    "application/jsonl": "lines",
    "application/x-jsonlines": "lines",
    "application/jsonlines": "lines",
    "application/json-lines": "lines",
    "application/stream+json": "lines",
    # What senders say that say nothing: `curl -d` and `--data-binary` among them.
    "": "sniff",
    "application/x-www-form-urlencoded": "sniff",
    "application/octet-stream": "sniff",
    "text/plain": "sniff",
}
_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})


def form_of(request: AnyRequest) -> Form:
    """What the body claims to be.

    Raises:
        UnsupportedMediaType: a type, or a charset, that is not taken.
    """
    kind, _, options = request.headers.get("content-type", "").partition(";")
    name = kind.strip().lower()
    for option in options.split(";"):
        key, _, value = option.strip().partition("=")
        charset = value.strip().strip('"').lower()
        if key.strip().lower() == "charset" and charset not in _CHARSETS:
            raise UnsupportedMediaType(
                f"The charset {charset[:40]!r} is not taken: send UTF-8."
            )
    found = _FORMS.get(name)
    if found is None:
        if name.endswith("+json"):
            return "json"
        raise UnsupportedMediaType(
            f"The Content-Type {name[:80]!r} is not taken here: send application/json, "
            "or application/x-ndjson to /api/v1/logs/batch."
        )
    return found


def positions_of(request: AnyRequest) -> Mapping[str, Any]:
    """The positions header.

    Raises:
        BadRequest: it is no JSON object, or a name in it is too long.
    """
    header = request.headers.get(POSITIONS_HEADER)
    if header is None:
        return {}
    raw = header.encode("latin-1")
    try:
        positions = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(
            f"The header {POSITIONS_HEADER} is no JSON object: {where(raw, str(error))}"
        ) from None
    for name in positions:
        if not 0 < len(name) <= MAX_POSITION_NAME_CHARS:
            raise BadRequest(
                f"The header {POSITIONS_HEADER} has a name of {len(name)} characters; "
                f"1 to {MAX_POSITION_NAME_CHARS} are taken."
            )
    return positions
