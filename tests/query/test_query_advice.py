"""What is said to somebody who writes a query as another language has it."""

import pytest

from logstream.core.errors import QuerySyntaxError
from logstream.query.advice import advice
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
        ("select * from logs", "for SQL there is `logstream sql`"),
    ],
)
def test_a_query_of_elsewhere_is_seen(text: str, said: str) -> None:
    assert said in advice(text)


@pytest.mark.parametrize(
    "text",
    ["", "*", "error", "level:error OR a", "-debug", "a:=b", "x = y", "=", "a(", "5>3"],
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
