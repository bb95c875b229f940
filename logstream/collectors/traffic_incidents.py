"""Incidents of the generated traffic: when something breaks, what, and how badly.

Time is cut into slots of fifteen minutes; the seed and the slot's number decide
whether it has an incident. So two streams of one seed agree about any moment, no
matter when each of them began.
"""

import random
from typing import Literal

import msgspec

SLOT_NS = 900 * 1_000_000_000
_CHANCE = 0.75
"""Of a slot to have an incident: an hour of history shows about three."""

IncidentKind = Literal[
    "database_overload", "bad_deploy", "credential_stuffing", "queue_backlog"
]
_KINDS: tuple[IncidentKind, ...] = (
    # Twice: these two show in several services.
    *("database_overload", "bad_deploy") * 2,
    "credential_stuffing",
    "queue_backlog",
)


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    kind: IncidentKind
    start_ns: int
    end_ns: int
    severity: float
    """0.3 to 1: scales how many requests fail and how slow they get."""
    region: str
    """The client network or host that stands out while it lasts."""


def incident_of_slot(seed: int, slot: int) -> Incident | None:
    """The incident that begins in a slot; it ends in the same one."""
    rng = random.Random(f"incident {seed} {slot}")  # noqa: S311 - not a secret
    if rng.random() >= _CHANCE:
        return None
    length_ns = int(rng.uniform(60, 300) * 1_000_000_000)
    start_ns = slot * SLOT_NS + int(rng.random() * (SLOT_NS - length_ns))
    return Incident(
        kind=rng.choice(_KINDS),
        start_ns=start_ns,
        end_ns=start_ns + length_ns,
        severity=rng.uniform(0.3, 1.0),
        region=f"203.0.113.{rng.randrange(1, 255)}",
    )


def incident_at(seed: int, at_ns: int) -> Incident | None:
    incident = incident_of_slot(seed, at_ns // SLOT_NS)
    if incident and incident.start_ns <= at_ns < incident.end_ns:
        return incident
    return None
