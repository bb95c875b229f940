"""The manifest of a backup: which copy is which file of the data folder.

What is lost of a day when a backup is made is kept as the backup before had it. If the
day has a new file since, the copy is called like a file that was set aside, so that
both are there after a restore.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from logstream.core.errors import StorageError
from logstream.storage.lost_days import ASIDE
from logstream.storage.partition import INDEX, SUFFIX, WAL, Key, key_of_name

MANIFEST = "manifest.json"
_FORMAT = 1
_FOLDER = "partitions"
_KEPT_ASIDE = f"{ASIDE}1"


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the data folder."""

    path: str
    """In the data folder."""
    stored: str
    """In the backup."""
    bytes: int
    sha256: str
    version: str = ""
    """Of a partition when it was copied; equal means unchanged."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    format: int = _FORMAT
    made_at: str
    files: list[Copied]
    lost: list[str] = []
    """Partitions of which something was lost when it was made."""


def read_manifest(folder: Path) -> Manifest:
    """An empty one where there is no backup. Raises StorageError: it is damaged."""
    path = folder / MANIFEST
    if not path.exists():
        return Manifest(made_at="", files=[])
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise StorageError(f"{path} is damaged: {error}") from None
    if manifest.format != _FORMAT:
        raise StorageError(f"{path} is of another version of LogStream.")
    for one in manifest.files:
        for part in (one.path, one.stored):
            if Path(part).is_absolute() or ".." in Path(part).parts:
                raise StorageError(f"{path} names a file outside: {part!r}")
    return manifest


def key_in(path: str) -> Key | None:
    """Of all files of a partition: its data, its log, its index, what was set aside."""
    folder, _, name = path.rpartition("/")
    if folder != _FOLDER:
        return None
    return key_of_name(Path(name.removesuffix(INDEX) + SUFFIX))


def kept_of_lost(
    before: Manifest, files: Mapping[str, Copied], lost: Collection[Key]
) -> list[Copied]:
    """What the backup before has of partitions that are lost, in part or as a whole.

    Args:
        files: Of the new backup, by path.
    """
    copied = {key_in(path) for path in files}
    found: list[Copied] = []
    for one in before.files:
        key = key_in(one.path)
        if key not in lost:
            continue
        if key not in copied or ASIDE in one.path:
            found.append(one)
        elif str(key) not in before.lost and one.path.endswith((SUFFIX, SUFFIX + WAL)):
            found.append(msgspec.structs.replace(one, path=_aside(one.path)))
    return found


def _aside(path: str) -> str:
    name = path.removesuffix(WAL)
    return name + _KEPT_ASIDE + path[len(name) :]
