"""LogStream's own log: one line per event on standard error, as text or as JSON."""

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_NAMES = {value: name for name, value in _LEVELS.items()}
_COLOURS = {"debug": "2", "info": "32", "warn": "33", "error": "31"}
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": _time(record),
            "source": "logstream",
            "level": _NAMES.get(record.levelno, record.levelname.lower()),
            "message": record.getMessage(),
            "fields": {"logger": record.name, **_extra(record)},
        }
        if record.exc_info:
            line["fields"]["exception"] = self.formatException(record.exc_info)  # type: ignore[index]
        return json.dumps(line, default=str)


class _Text(logging.Formatter):
    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        name = _NAMES.get(record.levelno, record.levelname.lower())
        level = f"{name.upper():5}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(name, '0')}m{level}\x1b[0m"
        extra = "".join(f" {key}={value}" for key, value in _extra(record).items())
        text = f"{_time(record)} {level} {record.getMessage()}{extra}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


def set_up_own_log(*, level: str, form: str, stream: TextIO) -> None:
    """Send the loggers of `logstream` to a stream, from now on.

    Args:
        level: The least severe that is written.
        form: `text`, `json`, or `auto`: text to a terminal, JSON otherwise.
    """
    terminal = stream.isatty()
    as_json = form == "json" or (form == "auto" and not terminal)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json() if as_json else _Text(colour=terminal))
    logger = logging.getLogger("logstream")
    logger.handlers = [handler]
    logger.setLevel(_LEVELS[level])
    logger.propagate = False


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, tz=UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _PLAIN}
