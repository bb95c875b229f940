"""The traffic: a pure function of seed, start and rate."""

from collections import Counter, defaultdict
from itertools import islice

from logstream.collectors.traffic import begin, generate, windows
from logstream.collectors.traffic_incidents import SLOT_NS, incident_of_slot
from logstream.core.entry import Entry
from logstream.core.levels import LEVELS
from logstream.core.timestamps import canonical, parse_ns

START = parse_ns("2025-05-13T00:00:00Z")


def some(
    count: int, *, seed: int = 1, start: int = START, rate: float = 50
) -> list[Entry]:
    return list(islice(generate(seed, start, rate), count))


def test_equal_seeds_starts_and_rates_give_equal_entries() -> None:
    assert some(3000) == some(3000)


def test_another_seed_gives_other_entries() -> None:
    assert some(100, seed=1) != some(100, seed=2)


def test_times_are_canonical_and_never_go_back() -> None:
    """Also across windows, though the lines of one flow spread over several."""
    entries = some(5000, rate=500)
    times = [parse_ns(entry.timestamp) for entry in entries]
    assert times == sorted(times)
    assert times[0] >= START
    assert all(canonical(entry.timestamp) == entry.timestamp for entry in entries[:500])


def test_a_stream_is_taken_up_anywhere_with_exactly_the_next_entry() -> None:
    whole: list[Entry] = []
    for at, placed in islice(windows(begin(3, START, 400)), 12):
        if at.window - START // 5_000_000_000 in (0, 1, 4, 11):
            resumed = next(windows(at))[1]
            assert resumed == placed
        whole += [one.entry for one in placed]
    assert whole == some(len(whole), seed=3, rate=400)


def test_a_stream_is_taken_up_within_a_window() -> None:
    place, placed = next(windows(begin(3, START, 400)))
    later = type(place)(
        seed=3, rate_per_s=400, start_ns=START, window=place.window, offset=7
    )
    at, rest = next(windows(later))
    assert at.offset == 7
    assert rest == placed[7:]


def test_the_mean_over_a_day_is_the_rate() -> None:
    count = 0
    for entry in generate(1, START, 0.5):
        if entry.timestamp >= "2025-05-14":
            break
        count += 1
    assert 0.9 < count / (86_400 * 0.5) < 1.15


def test_days_are_busier_than_nights() -> None:
    hours = Counter(entry.timestamp[11:13] for entry in some(30_000, rate=0.4))
    assert hours["15"] > 1.4 * hours["03"]


def test_four_services_write_at_the_usual_levels() -> None:
    entries = some(20_000)
    assert {entry.source for entry in entries} == {"web", "auth", "database", "worker"}
    levels = Counter(entry.level for entry in entries)
    assert set(levels) <= set(LEVELS)
    assert levels["info"] > levels["warn"] > levels["error"] > 0


def test_a_trace_leads_from_a_failed_request_to_its_cause_elsewhere() -> None:
    sources = defaultdict(set)
    for entry in some(20_000):
        sources[entry.fields.get("trace_id")].add(entry.source)
    assert any({"web", "database"} <= found for found in sources.values())


def test_a_session_leads_from_login_to_logout() -> None:
    messages = defaultdict(list)
    for entry in some(20_000):
        if "session_id" in entry.fields:
            messages[entry.fields["session_id"]].append(entry.message.split()[-1])
    assert ["in", "out"] in messages.values()


def test_most_hours_have_an_incident() -> None:
    slots = [incident_of_slot(1, START // SLOT_NS + slot) for slot in range(96)]
    found = [incident for incident in slots if incident is not None]
    assert 55 < len(found) < 88
    assert len({incident.kind for incident in found}) == 4


def test_incidents_show_as_errors_and_latency() -> None:
    """Web requests fail more, and slow down, while a database is overloaded."""
    incident = next(
        incident
        for slot in range(500)
        if (incident := incident_of_slot(1, START // SLOT_NS + slot))
        and incident.kind == "database_overload"
        and incident.severity > 0.6
    )
    before = web(incident.start_ns - 60 * 10**9)
    during = web(incident.start_ns)
    assert failed(during) > 3 * failed(before)
    assert slow(during) > 2 * slow(before)


def test_an_incident_ends_when_it_ends() -> None:
    """Not with the window: a queue would be behind by fewer than no jobs."""
    incident = next(
        incident
        for slot in range(500)
        if (incident := incident_of_slot(3, START // SLOT_NS + slot))
        and incident.kind == "queue_backlog"
    )
    entries = some(6000, seed=3, start=incident.start_ns, rate=20)
    behind = [one for one in entries if "is behind" in one.message]
    assert behind
    assert all(one.fields["depth"] >= 50 for one in behind)
    assert all(parse_ns(one.timestamp) < incident.end_ns for one in behind)


def web(start: int) -> list[Entry]:
    entries = some(3000, start=start, rate=100)
    return [entry for entry in entries if entry.source == "web"]


def failed(entries: list[Entry]) -> float:
    bad = [entry for entry in entries if entry.fields.get("status", 0) >= 500]
    return (len(bad) + 1) / len(entries)


def slow(entries: list[Entry]) -> float:
    times = sorted(entry.fields.get("duration_ms", 0) for entry in entries)
    return float(times[len(times) // 2])
