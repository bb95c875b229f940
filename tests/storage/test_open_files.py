"""The limit of open files is raised as far as it may be, and never lowered."""

import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="Windows has no such limit")

_CODE = """
import resource, sys
from logstream.runtime.open_files import allow_open_files
soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
allow_open_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("before", "after"), [((128, 300), (300, 300)), ((300, 300), (300, 300))]
)
def test_as_many_as_the_system_allows(
    before: tuple[int, int], after: tuple[int, int]
) -> None:
    """In a process of its own: a hard limit cannot be raised again."""
    command = [sys.executable, "-c", _CODE, *map(str, before)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert tuple(map(int, done.stdout.split())) == after
