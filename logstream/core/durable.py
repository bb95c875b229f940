"""Small files and names that are on disk when the call returns."""

import os
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Replace a small file's content so that after a crash it is the old or the new."""
    temporary = path.with_name(path.name + ".tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    _put_in_place(temporary, path)
    sync_folder(path.parent)


def _put_in_place(temporary: Path, path: Path) -> None:
    """The one moment at which the new content counts instead of the old."""
    temporary.replace(path)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable: a new file is lost with its name otherwise."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
