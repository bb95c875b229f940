"""Mistakes in pipes: what is said about them."""

import pytest

from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.query.query import compile_query

MISTAKES = [
    # As other languages call it.
    ('* | rex field=message "x"', "no pipe 'rex': write extract_regexp"),
    ("* | table timestamp, message", "write fields a, b"),
    ("* | fields timestamp message", "write a comma between names"),
    ("* | dedup host level", "write a comma between names"),
    ("* | stats dc(user)", "no dc() to compute here: write uniq(a)"),
    ("* | stats percentile(took, 95)", "write quantile"),
    ('* | eval t = strftime(timestamp, "%H")', "write format_time"),
    ("* | eval t = sum(took)", "write stats, and compute"),
    ('* | where message like "%x%"', "found like: write contains"),
    ("* | timechart count() by level span=1h", "found span: write it as in timechart"),
    ("* | stats count() if level:error", "a filter in brackets"),
    ("* | headd 3", "did you mean head"),
    ("* | timechart", "a function such as count()"),
    ("* | timechart 5m count() by a, b", "goes by one field"),
    ("* | timechart 5m count() by a limit 0", "from 1 to 100"),
    ("* | timechart 5m count() as timestamp", "the same name"),
    ("* | stats count() by source | timechart 5m count()", "no column 'timestamp'"),
    ('* | extract "user"', "nothing to extract"),
    ('* | extract "<a><b>"', "between two names"),
    ('* | extract "<a> <a>"', "the same name"),
    ('* | extract "<id>"', "use another name"),
    ("* | extract user", "expected a text"),
    ('* | extract_regexp "user=(.*)"', "no group has a name"),
    ('* | extract_regexp "user=(?P<a>"', "no regular expression"),
    ("* | extract_regexp user", "in quotes"),
    ("* | unpack xml", "json or logfmt"),
    ("* | unpack logfmt", "expected `fields`"),
    ("* | unpack json fields a, a", "the same name"),
    ("* | fields a | unpack json from a", "no entries here"),
    ("* | patterns limit 0", "from 1 to"),
    ("* | stats count() | patterns", "no column 'message'"),
    ("* | stats count() | facets", "none here any more"),
    ("* | facets x", "a number of values"),
    ("* | join by (user) (source:auth)", "which columns it gives"),
    (
        "* | join by (user) (* | stats count() as source by user)",
        "have a column 'source'",
    ),
    ("* | join by (user) (* | stats count())", "no column 'user'"),
    ("* | join by (a, a) (* | fields a)", "twice"),
    ("* | join by (a) * | fields a", "expected '('"),
    ("* | join by (a) (* | fields a) outer", "expected '|'"),
    ("* | context before 1 before 2", "twice"),
    ("* | context before 5000", "from 0 to 1000"),
    ("* | fields a | context", "none here any more"),
    ("* | transaction by count", "the same name"),
    ("* | transaction by a maxpause 5", "such as 5m"),
    ("* | anomalies", "numbers over time"),
    ("* | fields message | anomalies", "no column of numbers"),
    ("* | stats count() as score | anomalies", "already"),
    ("* | stats count() | anomalies of n", "no column 'n'"),
    ("* | stats count() | anomalies threshold 0", "above zero"),
    ("* | timechart 5300w count()", "at most 5200w"),
    ("* | stats count() | compare 600w", "at most 520w"),
    ("*" + " | context" * 40, "at most 64 times"),
    ("*" + " | stats count() as n | compare | fields n" * 7, "at most 64 times"),
    ("* | extract '" + "x" * 1000 + "<a>'", "at most 1000 characters"),
    ("* | compare", "looks at the numbers"),
    ("* | fields took | compare", "looks at the numbers"),
    ("* | stats count() as n by host | fields n | compare", "grouped by: keep"),
    ("* | timechart 1h count() | compare 90m", "a multiple of that"),
    ("* | stats count() | compare 5", "such as 5m"),
    (
        "* | stats count() as n | compare | rename n_before as x | compare",
        "two columns",
    ),
    ('* | replace "" with "b"', "everywhere and nowhere"),
    ('* | replace "a" "b"', "expected with"),
    (r'* | replace_regexp "(a)" with "\2"', "there is no \\2"),
    (r'* | replace_regexp "(a" with "b"', "no regular expression"),
    ("* | stats quantile(a, 2)", "from 0 to 1 (character 11)"),
    ("* | stats quantile(a, b)", "from 0 to 1 (character 11)"),
    ("* | where a > 99999999999w", "at most 5200w long (character 15)"),
    ("* | where a > 1e400TB", "too large"),
    ('* | where a ~ "(?=x)"', "no look-around, back references"),
    ("* | where a !~ b", "regular expression in quotes (character 16)"),
    (r'* | where matches(a, "(x)\\1")', "no look-around, back references"),
    (r'* | where matches(a, "\\Qx")', "no regular expression"),
    ("* | top limit = 5", "expected a name"),
    ("* | top host 5", "expected the number in front of the names, found 5"),
    ("* | drop timestamp, source, level, message, fields", "one column has to stay"),
    ("* | rename fields as f", "stays as it is"),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_a_mistake_is_shown(text: str, words: str) -> None:
    with pytest.raises((QuerySyntaxError, BadRequest)) as caught:
        compile_query(text)
    assert words in str(caught.value)
