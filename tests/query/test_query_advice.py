"""What is said to somebody who writes a query as another language has it."""

import pytest

from logstream.core.errors import QuerySyntaxError
from logstream.query.advice import advice, unknown_fields
from logstream.query.query import parse_query


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("index=web error", "`index=web` is a text to look for: write index:web"),
        (
            "status>=500 | head",
            "`status>=500` is a text to look for: write status:>=500",
        ),
        ("user!=bob", "`user!=bob` is a text to look for: write -user:bob"),
        ("level:error or level:warn", "`or` is a word to look for: write OR"),
        ("a && b", "`&&` is a word to look for: write AND"),
        ("error !debug", "`!debug` is a text to look for: write -debug"),
        ("!level:info", "`!level` is a name: write -level:…"),
        ("status = 500", "`status = 500` are words to look for: write status:500"),
        ("a took >= 5 b", "`took >= 5` are words to look for: write took:>=5"),
        ("user != bob", "`user != bob` are words to look for: write -user:bob"),
        ("status:500..599", "`500..599` is a text: write status:[500 TO 599]"),
        ("level:errox", "`errox` is a level of its own: did you mean error?"),
        ("level:(info OR Wran)", "`Wran` is a level of its own: did you mean warn?"),
        ("status:!=500", "`!=500` is a text: write -status:500"),
        ("source:web,auth", "`web,auth` is a text: write source:in(web, auth)"),
        ('"*time*"', "`*time*` is a text: a star in quotes stands for itself"),
        ('host:"web-*"', "`web-*` is a text: a star in quotes stands for itself"),
        ("select * from logs", "for SQL there is `logstream sql`"),
    ],
)
def test_a_query_of_elsewhere_is_seen(text: str, said: str) -> None:
    assert said in advice(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "error",
        "level:error OR a",
        "-debug",
        "a:=b",
        "=",
        "a =",
        "a(",
        "5>3",
        "level:audit",
        "level:fatal",
        "level:err*",
        "v:1..x",
    ],
)
def test_others_are_not(text: str) -> None:
    assert advice(text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('host="web 1"', 'before "web 1": write host:"web 1"'),
        ('a {app="x"} |= "y"', 'before "x": write app:"x"'),
        ('took>"5"', 'before "5": write took:"5"'),
    ],
)
def test_a_value_in_quotes_behind_a_word_is_told_as_a_field(
    text: str, said: str
) -> None:
    with pytest.raises(QuerySyntaxError) as error:
        parse_query(text)
    assert said in str(error.value)


KNOWN = ("status", "duration_ms", "pool.size", "trace_id")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("statuz:500", ["no recent entry has `statuz`: did you mean status?"]),
        ("-fields.statuq:>500", ["no recent entry has `statuq`: did you mean status?"]),
        ("sourcy:web", ["no recent entry has `sourcy`: did you mean source?"]),
        ("* | stats avg(duration) by sourcq",
         ["no recent entry has `sourcq`: did you mean source?",
          "no recent entry has `duration`: did you mean duration_ms?"]),
        ("* | where qqq > 5", ["no recent entry has `qqq`"]),
        ("* | where source = web",
         ["no recent entry has `web`: a text stands in quotes"]),
        ("a:1 | fields messagq, status",
         ["no recent entry has `a`",
          "no recent entry has `messagq`: did you mean message?"]),
        # What is there, as a whole too, or was made.
        ("pool:* _time:5m | where pool.size > 1 and fields.status = 5", []),
        ("* | eval x = 1 | stats count() as n by x | where n > 1", []),
        ("* | unpack json fields q | where q = 1", []),
        ("a( | no query", []),
        ("* | stats count() by a | where b", []),
    ],
)  # fmt: skip
def test_fields_that_no_entry_has_are_told(text: str, said: list[str]) -> None:
    assert unknown_fields(text, KNOWN) == said
