"""redact takes out what it should, leaves the rest, and never takes long."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstream.core.entry import Entry
from logstream.core.errors import ConfigError
from logstream.plugins import Processor
from logstream.plugins.testing import an_entry, processor_of
from plugins.redact.detectors import is_card

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "redact"
LOGHUB = Path(__file__).resolve().parents[2].parent / "shared/data/loghub"
KEY = "TEST_REDACT_KEY"


def a_redactor(**options: Any) -> Processor:
    return processor_of(PLUGIN, "redact", **options)


def redacted(entry: Entry, **options: Any) -> Entry:
    [result] = a_redactor(**options).process([entry])
    return result


def expect_text(text: str, becomes: str, **options: Any) -> None:
    """The text becomes this in the message and in a field, and stays so."""
    result = redacted(an_entry(text, fields={"note": text}), **options)
    assert result.message == becomes
    assert result.fields == {"note": becomes}
    assert redacted(result, **options) == result


def expect_left_alone(*texts: str) -> None:
    """The entry comes back as it is."""
    for text in texts:
        entry = an_entry(text, fields={"note": [text]})
        assert redacted(entry) == entry


def expect_refusal(part: str, **options: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        a_redactor(**options)
    assert part in str(caught.value)


def test_mail_addresses() -> None:
    """In the middle of a sentence, with a plus, in other scripts."""
    expect_text("from bob@example.com.", "from [email].")
    expect_text("<a.b+c@mail.example.co.uk>, x", "<[email]>, x")
    expect_text("jürgen@bücher.example", "[email]")
    expect_text("user=root@db.example.org;", "user=[email];")
    expect_left_alone("user@host", "@decorator", "a @ b.c", "@example.com")


def test_card_numbers() -> None:
    """With a network's prefix and a right check digit, in the usual groups."""
    expect_text("card 4111 1111 1111 1111 ok", "card [card] ok")
    expect_text("4111-1111-1111-1111", "[card]")
    expect_text("378282246310005 and 3782 822463 10005", "[card] and [card]")
    expect_text("pan=5555555555554444,", "pan=[card],")
    expect_text("1234 4111 1111 1111 1111 999", "1234 [card] 999")
    expect_left_alone(
        "4111 1111 1111 1112",
        "1234567890123456",
        "0.4111111111111111",
        "a4111111111111111",
        "41111111111111110000000000",
        "2025 1305 0001 1500",
        "1747094475123456789",
    )


def test_a_card_number_that_is_a_number() -> None:
    """JSON may hold it without quotes."""
    fields = {"n": 4111111111111111, "m": 4111111111111112, "f": 1.5, "b": True}
    assert redacted(an_entry(fields=fields)).fields == {**fields, "n": "[card]"}


@given(st.integers(0, 10**14 - 1))
def test_exactly_one_check_digit_in_ten_is_right(body: int) -> None:
    """Luhn's sum tells every single wrong digit."""
    assert sum(is_card(f"4{body:014d}{check}") for check in range(10)) == 1


def test_internet_addresses() -> None:
    """Both kinds; a port, a bracket or a full stop behind them stays."""
    expect_text("10.0.0.7:8080 10.0.0.8.", "[ip]:8080 [ip].")
    expect_text("rhost=218.188.2.4 ", "rhost=[ip] ")
    expect_text("fe80::1%eth0 [2001:db8::7]:443", "[ip]%eth0 [[ip]]:443")
    expect_text("at 2001:db8:0:0:0:0:0:1: refused", "at [ip]: refused")
    expect_text("::1", "[ip]")
    expect_left_alone(
        *("256.1.1.1", "1.2.3", "1.2.3.4.5", "v1.2.3.4", "01.2.3.4"),
        *("12:34:56", "std::vector", "A::B", "aa:bb:cc:dd:ee:ff", "::", "1::2::3"),
    )


def test_tokens() -> None:
    """By their own shapes, wherever they stand."""
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_def"
    expect_text(f"got {jwt} back", "got [token] back")
    expect_text("Authorization: Bearer abcdef123456", "Authorization: Bearer [token]")
    expect_text("authorization: basic Ym9iOnNlY3JldA==", "authorization: basic [token]")
    expect_text("key AKIAIOSFODNN7EXAMPLE.", "key [token].")
    expect_text("ghp_" + "a1B2" * 9, "[token]")
    expect_text(
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nx",
        "[token]\nx",
    )
    expect_left_alone("the bearer token", "basic things", "AKIA", "eyJ", "ghost_town")


def test_secrets_in_pairs() -> None:
    """The name stays, the value goes, whatever the quotes."""
    expect_text("password=hunter2 user=bob", "password=[secret] user=bob")
    expect_text("PASSWORD: 'a b', x", "PASSWORD: '[secret]', x")
    expect_text('{"api_key":"a\\"b","n":1}', '{"api_key":"[secret]","n":1}')
    expect_text(r"{\"secret\":\"x\"}", r"{\"secret\":\"[secret]\"}")
    expect_text("/x?token=abc&y=1", "/x?token=[secret]&y=1")
    expect_text("db_password=p)w] x", "db_password=[secret] x")
    expect_text("redis://:pa:ss@db:1", "redis://:[secret]@db:1")
    expect_text("https://bob:pw@db.example/x", "https://bob:[secret]@db.example/x")
    expect_left_alone(
        "Failed password for root",
        "PWD=/root ; USER=root",
        "password=",
        "http://example.com:80/a@b",
        "secretary: none",
    )


def test_fields_named_as_secrets_go_as_a_whole() -> None:
    """At any depth; what is no value stays."""
    fields = {
        "Password": "x",
        "http": {"set-cookie": "a=b", "API_Key": 12, "path": "/"},
        "items": [{"auth.token": "q"}],
        "token": None,
        "secret": {"kept": 1},
        "passwd": "",
    }
    assert redacted(an_entry(fields=fields)).fields == {
        "Password": "[secret]",
        "http": {"set-cookie": "[secret]", "API_Key": "[secret]", "path": "/"},
        "items": [{"auth.token": "[secret]"}],
        "token": None,
        "secret": {"kept": 1},
        "passwd": "",
    }
    assert redacted(an_entry(fields=fields), kinds=["email"]).fields == fields


def test_only_the_kinds_that_are_named() -> None:
    """The rest stays."""
    expect_text("a@b.de 10.0.0.1", "[email] 10.0.0.1", kinds=["email"])


def test_fields_to_skip() -> None:
    """With all that is in them; others of the name elsewhere are not meant."""
    fields = {"ip": "10.0.0.1", "a": {"ip": "10.0.0.2", "b": ["10.0.0.3"]}}
    assert redacted(an_entry(fields=fields), skip=["a.ip"]).fields == {
        "ip": "[ip]",
        "a": {"ip": "10.0.0.2", "b": ["[ip]"]},
    }
    assert redacted(an_entry(fields=fields), skip=["a"]).fields["a"] == fields["a"]


def test_own_patterns() -> None:
    """They run first, on short words too."""
    expect_text("by E12 ok", "by [staff] ok", patterns={"staff": r"\bE\d+\b"})
    expect_text("E12", "[staff]", patterns={"staff": r"\bE\d+\b"})


def test_hashes_tell_same_from_different(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same value and key, same hash; another key, another hash."""
    options = {"mode": "hash", "key_env": KEY}
    monkeypatch.setenv(KEY, "k" * 32)
    texts = ["a@b.de", "c@d.de", "a@b.de"]
    first, second, third = (redacted(an_entry(t), **options).message for t in texts)
    assert re.fullmatch(r"\[email:[0-9a-f]{12}\]", first)
    assert first == third != second
    monkeypatch.setenv(KEY, "l" * 32)
    assert redacted(an_entry("a@b.de"), **options).message != first


def test_options_that_cannot_work_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """At start, with the reason; a key is never shown."""
    monkeypatch.setenv(KEY, "short")
    expect_refusal("needs key_env", mode="hash")
    expect_refusal("holds 5 bytes", mode="hash", key_env=KEY)
    expect_refusal("holds 0 bytes", mode="hash", key_env="TEST_NOT_SET")
    expect_refusal("goes with mode: hash", key_env=KEY)
    expect_refusal("patterns.x: is no regular", patterns={"x": "("})
    expect_refusal("finds the empty text", patterns={"x": "a*"})
    expect_refusal("is no name", patterns={"a b": "x"})
    expect_refusal("kinds[0]", kinds=["mail"])


pieces = st.sampled_from(
    [
        *("bob@example.com", "10.0.0.7", "fe80::1", "4111 1111 1111 1111", "password="),
        *("token:", "Bearer ", "abcdef0123456789", "://u:p@h", "eyJhbGciOi.eyJzd.x"),
        *("[secret]", "[token:0123456789ab]", '"', "'", "\\", " ", ",", "=", "AKIA"),
        *("-", ":", ".", "@", "1", "a", "]", "[", "key", "ä", "\n"),
    ]
)


@pytest.mark.parametrize("mode", ["label", "hash"])
@given(st.lists(pieces, max_size=12).map("".join))
@example("token=[token:0123456789ab]")
@example('password="[secret]"')
@example("4111 1111 1111 1111.4111 1111 1111 1111.4111111111111111")
def test_redacting_twice_is_redacting_once(mode: str, text: str) -> None:
    """Entries may come through twice, from one LogStream to the next."""
    os.environ[KEY] = "k" * 32
    options = {"mode": "hash", "key_env": KEY} if mode == "hash" else {}
    redactor = a_redactor(**options)
    once = redactor.process([an_entry(text)])
    assert redactor.process(once) == once


@pytest.mark.parametrize(
    "unit",
    [
        *("a", "a@", "1 ", "1", ":", "1:", "1.", "eyJ", "eyJ.a", "password=", "gh"),
        *('password:"', "://a:", "bearer ", "1234-", "a.b@c.", 'token\\"=', "sk-"),
        *(
            "4111 1111 1111 1111 ",
            "4111111111111111.",
            "token= ",
            "-----BEGIN PRIVATE KEY-----",
            "[token:",
        ),
    ],
)
def test_text_made_to_hurt_takes_linear_time(unit: str) -> None:
    """A quadratic pattern would run into the time-out of the test."""
    redacted(an_entry(unit * (1_000_000 // len(unit)) + "@"))


@pytest.mark.skipif(not LOGHUB.is_dir(), reason="the sample logs are not there")
def test_no_address_is_left_in_a_real_log() -> None:
    """OpenSSH's log, which names who failed to log in from where."""
    [path] = LOGHUB.rglob("OpenSSH_2k.log")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    batch = [an_entry(line, id=n) for n, line in enumerate(lines, start=1)]
    result = a_redactor().process(batch)
    address = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
    before = sum(bool(address.search(entry.message)) for entry in batch)
    assert before > 1000
    assert sum(bool(address.search(entry.message)) for entry in result) == 0
