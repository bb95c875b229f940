"""How many files the process may have open."""

import sys
from contextlib import suppress

_ENOUGH = 65_536
"""A file for each day of many years, and a connection for each of many clients."""


def allow_open_files() -> None:
    """As many as the system lets this process have, up to enough.

    The usual limit of 1024 is one for programs that use `select`. A query that needs
    all days at once has a file of each open: of three years, that is more.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with suppress(ValueError, OSError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
