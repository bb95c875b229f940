"""Text to trees, and errors that point at what did not fit."""

import pytest

from logstream.core.errors import QuerySyntaxError
from logstream.query import (
    All,
    And,
    Bound,
    Compare,
    Exists,
    Expr,
    Match,
    Not,
    Or,
    Range,
    Says,
    Wild,
    glob_of,
    parse,
    parse_prefix,
)

STAR, MARK = Wild.ANY, Wild.ONE
A, B, C = (Says(glob_of(name)) for name in "abc")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", All()),
        (" \t\n", All()),
        ("*", All()),
        ("**", All()),
        ('"*"', Says(glob_of("*"))),
        (r"\*", Says(glob_of("*"))),
        ("a", A),
        ("a*b?", Says(glob_of("a", STAR, "b", MARK))),
        ('"a*b?"', Says(glob_of("a*b?"))),
        (r'"a\"b\\c\nd"', Says(glob_of('a"b\\c\nd'))),
        (r"a\ b\:\t", Says(glob_of("a b:\t"))),
        ("[main]", Says(glob_of("[main]"))),
        ("a=b", Says(glob_of("a=b"))),
        ("é\u00a0ü", And((Says(glob_of("é")), Says(glob_of("ü"))))),
        ("-", Says(glob_of("-"))),
        ("a - b", And((A, Says(glob_of("-")), B))),
        ("a-b", Says(glob_of("a-b"))),
        ("x:1", Match("x", glob_of("1"))),
        ("x:a:b", Match("x", glob_of("a:b"))),
        ("x::", Match("x", glob_of(":"))),
        ("x:-1", Match("x", glob_of("-1"))),
        ("x:a[0]", Match("x", glob_of("a[0]"))),
        ("x:AND", Match("x", glob_of("AND"))),
        ("NOT:x", Match("NOT", glob_of("x"))),
        ("to:x", Match("to", glob_of("x"))),
        ('x:""', Match("x", glob_of())),
        ('"":x', Match("", glob_of("x"))),
        ('"a b":"c d"', Match("a b", glob_of("c d"))),
        (r"a\*:b", Match("a*", glob_of("b"))),
        ('"a*":b', Match("a*", glob_of("b"))),
        ("x:*", Exists("x")),
        ('x:"*"', Match("x", glob_of("*"))),
        ("x:[* TO *]", Exists("x")),
        ("x:>1", Compare("x", ">", "1")),
        ("x:>=1", Compare("x", ">=", "1")),
        ("x:<1", Compare("x", "<", "1")),
        ("x:<=1", Compare("x", "<=", "1")),
        ("x:=a**?", Compare("x", "=", "a**?")),
        ("x:==", Compare("x", "=", "=")),
        ('x:>"a b"', Compare("x", ">", "a b")),
        ("x:[1 TO 2]", Range("x", Bound("1"), Bound("2"))),
        (
            "x:{1 TO 2}",
            Range("x", Bound("1", inclusive=False), Bound("2", inclusive=False)),
        ),
        ("x:[1 TO 2}", Range("x", Bound("1"), Bound("2", inclusive=False))),
        ("x:{ * TO 2 ]", Range("x", None, Bound("2"))),
        ('x:["*" TO *]', Range("x", Bound("*"), None)),
        ("x:[a:b TO (c)]", Range("x", Bound("a:b"), Bound("(c)"))),
        ("x:[1 TO 2] a", And((Range("x", Bound("1"), Bound("2")), A))),
        ("a b c", And((A, B, C))),
        ("a AND b c", And((A, B, C))),
        ("(a b) c", And((A, B, C))),
        ("a OR (b OR c)", Or((A, B, C))),
        ("a b OR c", Or((And((A, B)), C))),
        ("a (b OR c)", And((A, Or((B, C))))),
        ("(a)(b)", And((A, B))),
        ("(a)b", And((A, B))),
        ("NOT a b", And((Not(A), B))),
        ("-a", Not(A)),
        ("--a", Not(Not(A))),
        ("NOT -a", Not(Not(A))),
        ("-(a OR b)", Not(Or((A, B)))),
        ("-x:1", Not(Match("x", glob_of("1")))),
        ("a or b", And((A, Says(glob_of("or")), B))),
    ],
)
def test_a_query_is_read(text: str, expected: Expr) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (Says(glob_of("a-b_c.d/e")), "a-b_c.d/e"),
        (Says(glob_of("-a")), '"-a"'),
        (Says(glob_of("AND")), '"AND"'),
        (Says(glob_of('a "b\\c"\n')), r'"a \"b\\c\"\n"'),
        (Says(glob_of("-a b\n\u2003:", STAR, "é")), "\\-a\\ b\\n\\\u2003\\:*é"),
        (Match("a b", glob_of("c*", STAR)), '"a b":c\\**'),
        (Compare("x", ">=", "a b"), 'x:>="a b"'),
        (Range("x", None, Bound("TO", inclusive=False)), 'x:[* TO "TO"}'),
        (Range("x", Bound("*", inclusive=False), None), 'x:{"*" TO *]'),
        (Exists("x.y"), "x.y:*"),
        (Not(Or((A, B))), "NOT (a OR b)"),
        (Not(Not(A)), "NOT NOT a"),
        (And((A, Or((B, C)))), "a AND (b OR c)"),
        (Or((A, And((B, C)))), "a OR b AND c"),
    ],
)
def test_canonical_text(expr: Expr, text: str) -> None:
    """Bare where it can be, quotes or backslashes where it must."""
    assert str(expr) == text
    assert parse(text) == expr


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("(", 1, "expected a word"),
        ("()", 1, "found )"),
        ("(a", 2, "expected ')' for the '(' at character 1, found the end"),
        ("(a OR", 5, "expected a word"),
        (")", 0, "this ')' closes nothing"),
        ("(a | b)", 3, "expected ')' for the '(' at character 1, found |"),
        ("-)", 1, "closes nothing"),
        ("a ) b", 2, "this ')' closes nothing"),
        ("OR a", 0, "found OR"),
        ("a AND OR b", 6, "found OR"),
        ("a AND", 5, "found the end of the query"),
        ("NOT", 3, "found the end of the query"),
        (":a", 0, "expected a field's name"),
        ("a :b", 2, "expected a field's name"),
        ("(a):b", 3, "expected a field's name"),
        ("a:", 1, "expected a value right after ':', or quotes around a:"),
        ("a: b", 1, "expected a value right after ':'"),
        ("(a:)", 2, "expected a value right after ':'"),
        ("a:(b OR c", 9, "expected ')' for the '(' at character 3"),
        ("a:()", 3, "expected a value, found )"),
        ("a:(b OR", 7, "expected a value"),
        ("a:(~)", 3, "expected a value right after '~'"),
        ("a:in()", 5, "expected a value, found )"),
        ("a:in(b", 6, "expected ',' or ')', found the end"),
        ("a:in(b c)", 7, "expected ',' or ')', found c"),
        ("a:in(b,)", 7, "expected a value"),
        ("a:in((b))", 5, "expected a value, found ("),
        ("*:>5", 2, "expected a word or a"),
        ('*:""', 2, "expected a value between the quotes"),
        ("x:/a(/", 2, "no regular expression: missing )"),
        ("x:/(?=a)/", 2, "no look-around"),
        (r"/(a)\1/", 0, "back references"),
        ("/" + "(a{100}){100}" + "/", 0, "Repeats go up to 1000"),
        ("/" + "a" * 1001 + "/", 0, "at most 1000 characters"),
        ("/(?i:a)/", 0, "flags inside"),
        ('x:~"(?m)a"', 3, "flags i and s"),
        ("timestamp:in(2025-01-01)", 10, "takes no list"),
        ("timestamp:/2025/", 10, "takes no regular expression"),
        ("timestamp:2025-13", 10, "write it as"),
        ("_time:5x", 6, "write such as 30s"),
        ("a*:b", 0, "no wildcards"),
        ("x:>", 2, "expected a value right after '>'"),
        ("x:>= 5", 2, "expected a value right after '>='"),
        ("x:>(5)", 2, "expected a value right after '>'"),
        ("x:[", 3, "expected the low end"),
        ("x:[1", 4, "expected TO, found the end"),
        ("x:[1 2]", 5, "expected TO, found 2"),
        ("x:[TO 2]", 3, "found TO"),
        ("x:[1 TO]", 7, "expected the high end of the range, or *, found ]"),
        ("x:[1 TO 2 3]", 10, "expected ']' or '}', found 3"),
        ("x:[1 TO 2]y", 10, "expected a blank before y"),
        ('""', 0, "expected a word between the quotes"),
        ('a "b', 2, "expected a closing"),
        ('"a"b', 3, "expected a blank before b"),
        ('a"b"', 1, 'expected a blank before "b"'),
        ('x:a"b"', 3, "expected a blank"),
        ("f(x)", 1, "expected a blank before ("),
        ("a\\", 1, "expected a character after"),
        ("a\\q", 1, "'\\q' means nothing"),
        ('"a\\7"', 2, "'\\7' means nothing"),
        ("a | b", 2, "no pipes: quote the '|'"),
        ("x:[1|2 TO 3]", 4, "expected TO, found |"),
        ("x:~", 2, "expected a value right after '~'"),
        ("a\0b", 1, "NUL"),
        ("a\ud800b", 1, "surrogate"),
        ("timestamp:soon", 10, "RFC 3339"),
        ("timestamp:>1960-01-01", 11, "1970"),
        ("timestamp:[* TO soon]", 16, "RFC 3339"),
        ("timestamp:2025*", 10, "no wildcards"),
        ("id:abc", 3, "fields.id"),
        ("id:9223372036854775808", 3, "fields.id"),
        ("level:>audit", 7, "have an order: trace, debug"),
        ("level:[audit TO *]", 7, "have an order"),
        ("a " + "b?" * 101, 2, "at most 100 wildcards"),
        ("x:" + "b?" * 101, 2, "at most 100 wildcards"),
        ("." * 64 + ":1", 65, "at most 64 parts"),
        ("x:[1 TO " + "y" * 50 + " z", 59, "found z"),
        ("a OR " + "y" * 50 + ":", 55, "expected a value"),
        ("x:[1 " + "y" * 50, 5, f"found {'y' * 40}… ("),
    ],
)
def test_an_error_points_at_the_token(text: str, offset: int, message: str) -> None:
    """The offset is where the caret goes."""
    with pytest.raises(QuerySyntaxError) as raised:
        parse(text)
    assert message in str(raised.value)
    assert raised.value.offset == offset


@pytest.mark.parametrize(
    ("text", "start", "expected", "end"),
    [
        ("a | b", 0, A, 2),
        ("a|b", 0, A, 1),
        ("| b", 0, All(), 0),
        ("  | b", 0, All(), 2),
        ("", 0, All(), 0),
        ("a  ", 0, A, 3),
        ('a "|" | x', 0, And((A, Says(glob_of("|")))), 6),
        ("(a OR (b)) | x", 0, Or((A, B)), 11),
        ("count() if (a) by x", 12, A, 13),
        ("if ((a b)) by", 4, And((A, B)), 9),
        ("if (x:[1 TO 2] ) by", 4, Range("x", Bound("1"), Bound("2")), 15),
        ("if () by", 4, All(), 4),
        (r"a\| | b", 0, Says(glob_of("a|")), 4),
        ('a | "open \\q ~ [', 0, A, 2),
        ("x:y|z", 0, Match("x", glob_of("y")), 3),
    ],
)
def test_a_filter_ends_where_a_pipe_begins(
    text: str, start: int, expected: Expr, end: int
) -> None:
    """Nothing behind it is looked at: it is in another language."""
    assert parse_prefix(text, start) == (expected, end)


def test_errors_of_a_filter_further_on_count_from_the_beginning() -> None:
    with pytest.raises(QuerySyntaxError, match="character 9") as raised:
        parse_prefix("a | b (x:)", 7)
    assert raised.value.offset == 8
