"""Decode: what is let in, in what form, and what is told to whom is not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.config.settings import IntakeConfig
from logstream.core.errors import EntryRejected, TooLarge
from logstream.core.rejections import REASONS
from logstream.core.timestamps import format_ns, parse_ns
from logstream.pipeline import decode
from logstream.pipeline.canonical import sources_of_canonical
from logstream.pipeline.decode import (
    Decoded,
    decode_array,
    decode_lines,
    decode_one,
)
from logstream.pipeline.depth import MAX_DEPTH, is_too_deep, too_deep_line

LIMITS = IntakeConfig(max_entry_bytes=100_000)
NOW = parse_ns("2025-05-13T00:00:00Z")


def lines(body: bytes, **options: Any) -> Decoded:
    return decode_lines(body, limits=LIMITS, received_ns=NOW, **options)


def one(body: bytes) -> dict[str, Any]:
    decoded = decode_one(body, limits=LIMITS, received_ns=NOW)
    assert decoded.entries == 1
    found: dict[str, Any] = json.loads(decoded.payload)
    assert decoded.sources == {found["source"]: 1}
    return found


def expect_rejected(body: bytes, reason: str) -> str:
    """Refused alone, in an array and in a stream, for the same reason."""
    assert reason in REASONS
    with pytest.raises(EntryRejected) as alone:
        decode_one(body, limits=LIMITS, received_ns=NOW)
    assert alone.value.reason == reason
    good = b'{"message":"good"}'
    if b"\n" not in body and not body.isspace() and body:
        with pytest.raises(EntryRejected) as caught:
            lines(good + b"\n" + body + b"\n" + good)
        assert (caught.value.index, caught.value.reason) == (1, reason)
        partial = lines(good + b"\n" + body + b"\n" + good, partial=True)
        assert partial.entries == 2
        assert [(r.index, r.reason) for r in partial.rejected] == [(1, reason)]
    return str(alone.value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"   ", "not_json"),
        (b"{", "not_json"),
        (b"\x00", "not_json"),
        (b'{"message":"a"} {"message":"b"}', "not_json"),
        (b'{"message":"a",\n"level":"info"', "not_json"),
        (b'{"message":NaN}', "not_json"),
        (b'{"message":"m","a":1e999,"b":NaN}', "not_json"),
        (b'{"message":"\\ud800"}', "not_json"),
        (b'{"message":"m","n":1e999,"a":"\\ud800"}', "not_utf8"),
        (b'{"message":"\xff"}', "not_utf8"),
        (b'{"message":"m","fields":{"a":"\xed\xa0\x80"}}', "not_utf8"),
        ('{"message":"m"}'.encode("utf-16"), "not_utf8"),
        (b"[]", "wrong_type"),
        (b"5", "wrong_type"),
        (b"null", "wrong_type"),
        (b'{"message":5}', "wrong_type"),
        (b'{"message":null}', "wrong_type"),
        (b'{"message":"m","source":5}', "wrong_type"),
        (b'{"message":"m","fields":[]}', "wrong_type"),
        (b'{"message":"m","level":[]}', "wrong_type"),
        (b'{"message":"m","level":1e999}', "wrong_type"),
        (b"{}", "missing_message"),
        (b'{"msg":"m"}', "missing_message"),
        (b'{"message":"m","timestamp":"yesterday"}', "bad_timestamp"),
        (b'{"message":"m","timestamp":true}', "bad_timestamp"),
        (b'{"message":"m","timestamp":{}}', "bad_timestamp"),
        (b'{"message":"m","timestamp":1e999}', "bad_timestamp"),
        (b'{"message":"m","timestamp":"0000-01-01T00:00:00Z"}', "bad_timestamp"),
        (b'{"message":"m","timestamp":"3000-01-01T00:00:00Z"}', "bad_timestamp"),
        (
            b'{"message":"m","timestamp":"1969-12-31T23:59:59.9999999Z"}',
            "bad_timestamp",
        ),
        (b'{"message":"m","level":99}', "bad_level"),
        (b'{"message":"m","level":"two words"}', "bad_level"),
        (b'{"message":"m","source":"' + b"x" * 513 + b'"}', "too_large"),
        (b'{"message":"' + b"x" * 100_000 + b'"}', "too_large"),
        (b'{"message":"m","a":' + b"[" * 501 + b"]" * 501 + b"}", "too_deep"),
        (b'{"message":"m","a":' + b'{"a":' * 30_000, "too_large"),
        (b'{"message":"m","a":' + b"[" * 30_000, "too_deep"),
    ],
)
def test_each_bad_entry_is_told_what_is_wrong(body: bytes, reason: str) -> None:
    message = expect_rejected(body, reason)
    assert message.startswith("Entry 0: ")
    assert len(message) < 700


@pytest.mark.parametrize(
    ("body", "part", "expected"),
    [
        (b'{"message":"m"}', "timestamp", "2025-05-13T00:00:00Z"),
        (b'{"message":"m","timestamp":1747094475123}', "timestamp", None),
        (b'{"message":"m","timestamp":""}', "timestamp", "2025-05-13T00:00:00Z"),
        (b'{"message":"m"}', "source", "unknown"),
        (b'{"message":"m","source":""}', "source", "unknown"),
        (b'{"message":"m","level":"WARNING"}', "level", "warn"),
        (b'{"message":"m","level":"5"}', "level", "info"),
        (b'{"message":"m","level":null}', "level", "info"),
        (b'{"message":"m","user":"u"}', "fields", {"user": "u"}),
        (b'{"message":"m","a":1,"fields":{"a":2}}', "fields", {"a": 2, "a_": 1}),
        (b'{"message":"m","_frame":1}', "fields", {"_frame": 1}),
        (b'{"message":"m","id":7}', "fields", {"id": 7}),
        (b'{"message":"m","a":1e999}', "fields", {"a": None}),
        (b'{"message":"m","a":' + b"9" * 5000 + b"}", "fields", {"a": None}),
        (b'{"message":"a","message":"b"}', "message", "b"),
        (b'\xef\xbb\xbf{"message":"bom"}', "message", "bom"),
        (b'{"message":""}', "message", ""),
        (b'{"message":"\\u0000"}', "message", "\x00"),
    ],
)
def test_what_is_clear_is_taken(body: bytes, part: str, expected: object) -> None:
    found = one(body)
    assert found.keys() <= {"timestamp", "source", "level", "message", "fields"}
    assert found[part] == expected or expected is None


def test_a_byte_order_mark_is_passed_over_in_every_form() -> None:
    canonical = b'{"timestamp":"2025-05-13T00:00:00Z","message":"m"}\n'
    assert lines(b"\xef\xbb\xbf" + canonical).payload == canonical
    array = b"\xef\xbb\xbf[" + canonical + b"]"
    assert decode_array(array, limits=LIMITS, received_ns=NOW).entries == 1


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n", b"\n \n"])
@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"\n\n\n", b"\n\t\n"])
def test_lines_may_end_in_any_way(between: bytes, end: bytes) -> None:
    """CRLF, blank lines, no newline at the end."""
    a = b'{"timestamp":"2025-05-13T00:00:00Z","message":"a"}'
    decoded = lines(a + between + a + end)
    assert decoded.entries == 2
    assert decoded.payload.count(b"\n") == 2
    assert [json.loads(line)["message"] for line in decoded.payload.splitlines()] == [
        "a",
        "a",
    ]


def test_newlines_within_an_entry_are_no_way_around_the_fast_check() -> None:
    """An entry over two lines beside a line of two entries makes the count right."""
    entry = b'{"timestamp":"2025-05-13T00:00:00Z","message":"m","fields":%s}'
    tricks = [
        entry % b'{"a":{}\n}' + b"\n" + entry % b"{}" + entry % b"{}" + b"\n",
        entry % b'{"a":"}\n{"}' + entry % b"{}" + b"\n",
        entry % b'{"a":[{}\n,{}]}' + b"\n" + entry % b"{}" + entry % b"{}" + b"\n",
    ]
    for body in tricks:
        with pytest.raises(EntryRejected):
            lines(body)


def test_an_array_is_one_array_of_objects() -> None:
    good = b'[\n{"message":"a"},\n {"message"\n:"b"}\n]'
    assert decode_array(good, limits=LIMITS, received_ns=NOW).entries == 2
    assert decode_array(b"[]", limits=LIMITS, received_ns=NOW).entries == 0
    for body, reason in [
        (b'{"message":"m"}', "wrong_type"),
        (b"[", "not_json"),
        (b'["\xff"]', "not_utf8"),
        (b"[" * 100_000, "too_deep"),
    ]:
        with pytest.raises(EntryRejected) as caught:
            decode_array(body, limits=LIMITS, received_ns=NOW)
        assert caught.value.reason == reason
    small = IntakeConfig(max_array_bytes=1024)
    with pytest.raises(TooLarge, match="NDJSON"):
        decode_array(b" " * 2000, limits=small, received_ns=NOW)


def test_partial_takes_the_good_and_lists_the_bad() -> None:
    body = b'[{"message":"a"},{},{"message":"b"},5]'
    decoded = decode_array(body, limits=LIMITS, received_ns=NOW, partial=True)
    assert decoded.entries == 2
    assert [(r.index, r.reason) for r in decoded.rejected] == [
        (1, "missing_message"),
        (3, "wrong_type"),
    ]
    nothing = lines(b"{}\n", partial=True, first_index=10)
    assert (nothing.entries, nothing.payload) == (0, b"")
    assert nothing.rejected[0].index == 10


@pytest.mark.parametrize("size", range(MAX_DEPTH - 2, MAX_DEPTH + 4))
@pytest.mark.parametrize("before", [0, 1, 2, 250, 498, 499, 500, 501, 999, 1000, 1001])
def test_depth_is_found_wherever_the_line_stands(size: int, before: int) -> None:
    """Windows of 500 bytes look for lines without a newline: no line slips between."""
    deep = b"[" * size + b"]" * size
    for chunk in (
        b"x" * before + b"\n" + deep + b"\n",
        b"{}\n" * (before // 3) + deep + b"\n{}\n",
        deep + b"\n" + b"{}\n" * before,
    ):
        assert too_deep_line(chunk) == (size > MAX_DEPTH)
    assert is_too_deep(deep) == (size > MAX_DEPTH)
    assert not is_too_deep(b'{"a":"' + deep + b'\\"["}')


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1])
def test_both_ways_agree_on_depth(depth: int) -> None:
    nested = b'{"a":' * (depth - 1) + b"1" + b"}" * (depth - 1)
    canonical = (
        b'{"timestamp":"2025-05-13T00:00:00Z","message":"m","fields":%s}\n' % nested
    )
    body = canonical * 3
    if depth > MAX_DEPTH:
        with pytest.raises(EntryRejected) as caught:
            lines(body)
        assert caught.value.reason == "too_deep"
    else:
        assert lines(body).entries == 3


@pytest.mark.parametrize("over", [-1, 0, 1, 2])
@pytest.mark.parametrize("before", [0, 1, 700, 1023, 1024, 1025, 5000])
def test_both_ways_agree_on_length(over: int, before: int) -> None:
    limits = IntakeConfig(max_entry_bytes=1024)
    head = b'{"timestamp":"2025-05-13T00:00:00Z","message":"%s"}'
    short = head % b""
    body = (short + b"\n") * (before // len(short))
    body += head % (b"x" * (1024 + over - len(short))) + b"\n" + short
    if over > 0:
        with pytest.raises(EntryRejected) as caught:
            decode_lines(body, limits=limits, received_ns=NOW)
        assert caught.value.reason == "too_large"
    else:
        decode_lines(body, limits=limits, received_ns=NOW)


texts = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2)
    ),
    max_leaves=4,
)
times = st.sampled_from(
    [
        *("2025-05-13T00:01:15Z", "2025-05-13T00:01:15.120Z", "2025-05-13t00:01:15z"),
        *(
            "2025-05-13 00:01:15",
            "2025-05-13T00:01:15+02:00",
            "2025-05-13T00:01:15+00:00",
        ),
        *(
            "2025-05-13T23:59:59.999999999Z",
            "1970-01-01T00:00:00Z",
            "3000-01-01T00:00Z",
        ),
        *(
            "2262-04-10T23:59:59Z",
            "1969-12-31T23:59:59.9999999Z",
            1747094475,
            "",
            None,
            0.5,
        ),
    ]
)
entries = st.fixed_dictionaries(
    {},
    optional={
        "timestamp": times,
        "source": st.sampled_from(["web", "", "é", 5, None]),
        "level": st.sampled_from(
            ["info", "WARNING", "Error", "notice", "7", 3, None, "?"]
        ),
        "message": texts | st.none(),
        "fields": st.none() | st.dictionaries(texts, values, max_size=3),
        "other": values,
    },
)


def meaning(payload: bytes) -> list[tuple[object, ...]]:
    """Entries as the store would hold them."""
    found: list[tuple[object, ...]] = []
    for line in payload.splitlines():
        entry = json.loads(line)
        level = entry.get("level", "info").lower()
        found.append(
            (
                parse_ns(entry["timestamp"].upper()),
                entry.get("source", "unknown"),
                "warn" if level == "warning" else level,
                entry["message"],
                json.dumps(entry.get("fields") or {}, sort_keys=True),
            )
        )
    return found


@given(st.lists(entries, min_size=1, max_size=3), st.booleans())
def test_the_fast_way_and_the_lenient_way_agree(
    batch: list[dict[str, Any]], ascii_only: bool
) -> None:
    """They take the same entries, and mean the same by them."""
    body = b"".join(
        json.dumps(entry, ensure_ascii=ascii_only).encode("utf-8", "replace") + b"\n"
        for entry in batch
    )
    fast = sources_of_canonical(body, max_entry_bytes=LIMITS.max_entry_bytes)
    if fast is None:
        return
    slow = decode._rewrite_all(
        iter(body.splitlines()),
        limits=LIMITS,
        received_ns=NOW,
        partial=False,
        first_index=0,
    )
    assert fast == slow.sources
    assert slow.entries == len(batch)
    assert meaning(body) == meaning(slow.payload)
    assert lines(body).payload == body


@given(st.lists(st.binary(max_size=20) | st.just(b'{"message":"m"}'), max_size=5))
def test_any_bytes_are_stored_or_refused(pieces: list[bytes]) -> None:
    """Nothing else comes out of decoding, and partial accounts for each line."""
    body = b"\n".join(pieces)
    decoded = lines(body, partial=True)
    came = [line for line in body.split(b"\n") if line and not line.isspace()]
    if body.startswith(b"\xef\xbb\xbf"):
        return
    assert decoded.entries + len(decoded.rejected) == len(came)
    assert decoded.payload.count(b"\n") == decoded.entries
    for line in decoded.payload.splitlines():
        assert parse_ns(json.loads(line)["timestamp"]) >= 0


def test_the_time_of_receipt_keeps_its_nanoseconds() -> None:
    decoded = decode_one(b'{"message":"m"}', limits=LIMITS, received_ns=NOW + 1)
    assert json.loads(decoded.payload)["timestamp"] == format_ns(NOW + 1)
