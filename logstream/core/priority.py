"""Priority: threads of which nobody waits for the result give way to the others."""

import os
import sys
import threading
from contextlib import suppress

_NICER = 10
_NICEST = 19


def lower_priority() -> None:
    """Of this thread, below that of the process, for good. Called again it does nothing
    more. Only Linux has one for each thread.
    """
    if sys.platform == "linux":
        nice = min(_NICEST, os.getpriority(os.PRIO_PROCESS, os.getpid()) + _NICER)
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
