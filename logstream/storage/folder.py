"""The data folder: one process owns it, and says so in a file that others can read."""

import fcntl
import os
import shutil
from pathlib import Path

import msgspec

from logstream.core.errors import FolderInUse, StorageError


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who has the folder: the content of its `lock` file, as JSON."""

    pid: int
    url: str | None = None
    """Where its API answers; None when it serves none."""


class DataFolder:
    """An owned data folder. Use as a context manager.

    Raises:
        FolderInUse: another process has it; names its pid.
        StorageError: it cannot be made or written; says what to do.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.journal.mkdir(parents=True, exist_ok=True)
            self.partitions.mkdir(exist_ok=True)
            self.tmp.mkdir(exist_ok=True)
            self._fd = os.open(
                path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
            )
        except OSError as failure:
            raise StorageError(
                f"The data folder {path} cannot be written ({failure.strerror}): give "
                "it to this user, or name another with --data or storage.path."
            ) from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.announce(None)
            self._clean_tmp()
        except BlockingIOError:
            owner = read_owner(path)
            os.close(self._fd)
            pid = owner.pid if owner else None
            who = f"process {pid}" if pid else "another process"
            raise FolderInUse(
                f"The data folder {path} is in use by {who}: stop it, talk to it "
                "(--server), or name another folder with --data.",
                pid=pid,
            ) from None
        except OSError as failure:
            os.close(self._fd)
            raise StorageError(
                f"The data folder {path} cannot be locked ({failure.strerror})."
            ) from None

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @property
    def partitions(self) -> Path:
        return self.path / "partitions"

    @property
    def tmp(self) -> Path:
        return self.path / "tmp"

    def _clean_tmp(self) -> None:
        """What a process that was killed had spilled. Raises OSError."""
        for left in self.tmp.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()

    def announce(self, url: str | None) -> None:
        """Say where this process answers."""
        content = msgspec.json.encode(Owner(pid=os.getpid(), url=url)) + b"\n"
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, content, 0)

    def close(self) -> None:
        """Give it up. Safe to call twice."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def read_owner(path: Path) -> Owner | None:
    """Who has the folder, without touching it; None when nobody says so.

    A process that was killed leaves its words behind: ask the address before trusting
    it, or take the folder.
    """
    try:
        return msgspec.json.decode((path / "lock").read_bytes(), type=Owner)
    except (OSError, msgspec.MsgspecError):
        return None
