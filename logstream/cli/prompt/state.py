"""Where a user's history is kept between runs."""

import os
from pathlib import Path


def history_file(name: str) -> Path | None:
    """A file that only this user reads; None: there is no place for one."""
    folder = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not folder.is_absolute():  # the specification has such ignored
        folder = Path.home() / ".local" / "state"
    path = folder / "logstream" / f"{name}_history"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600))
    except OSError:
        return None
    return path
