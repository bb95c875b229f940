"""A warning for an answer that lacks something: never silently less."""

import warnings
from collections.abc import Iterable


class IncompleteAnswer(UserWarning):
    """Days cannot be read, or acked entries cannot be stored just now; the answer has
    everything else.
    """


def warn_if_incomplete(days: Iterable[str], stuck_entries: int) -> None:
    """Args: days: That cannot be read, RFC 3339."""
    lacks = []
    if named := ", ".join(sorted(days)):
        lacks.append(f"what cannot be read of {named}")
    if stuck_entries:
        lacks.append(f"{stuck_entries} entries that cannot be stored just now")
    if lacks:
        text = f"The answer lacks {' and '.join(lacks)}."
        warnings.warn(text, IncompleteAnswer, stacklevel=6)
