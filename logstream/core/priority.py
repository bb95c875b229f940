"""Priority: threads of which nobody waits for the result give way to the others."""

import os
import sys
import threading
from contextlib import suppress

_NICE = 10


def lower_priority() -> None:
    """Of this thread, for good. Only Linux has one for each thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
