"""Why an entry is not stored: closed sets, since they are metric labels."""

from typing import Literal, get_args

RejectReason = Literal[
    "not_json",
    "not_utf8",
    "wrong_type",
    "missing_message",
    "bad_timestamp",
    "bad_level",
    "too_large",
    "too_deep",
]
"""Refused at the door: the sender was told, nothing was acked."""

DeadReason = Literal[
    "processor_error", "processor_timeout", "processor_contract", "load_error"
]
"""Acked, then kept in the dead-letter store instead of the log store."""

REASONS: tuple[str, ...] = get_args(RejectReason)
DEAD_REASONS: tuple[str, ...] = get_args(DeadReason)
