"""Templates: texts that are alike but for single words, as one.

`Invalid user ann from <ip>` and a hundred others are `Invalid user <*> from <ip>`,
while `VM Started` and `VM Stopped` are two. Texts of as many words stand in one table.
Where a column of it has few different words they tell kinds of texts apart, and the
table is divided by it; where it has many, and the texts agree in the rest, it is what
varies. IPLoM (Makanju et al., 2009) and Brain (Yu et al., 2023) find templates so. Of
the lines of loghub, 96 of 100 come into a group of just those that people have put
together; by the looks of what varies alone (`varying`), 56.

All of it is SQL over texts that differ, which `varying` has made few: 200 of 2 000.
"""

from typing import Final

COMPARED = 50_000
"""The most frequent are compared with each other, and the rest are what they are: a
million texts that all differ take no more memory than that.
"""
MOST_WORDS = 100
"""A text with more is what it is."""
FEW = 5
"""So many different words of a column are told apart, and fewer:"""
FEW_VALUES = 3
"""where each is `name=value`, and"""
FEW_NAMES = 2
"""behind a word that says that a name follows; but more"""
MANY = 20
"""of the first column, and of words like `GET`, of which there are only so many."""
ALIKE = 0.5
"""Texts are alike when this share of their words is the same."""
NAMED: Final = ("client", "host", "hostname", "node", "server", "user", "username")
ANY = "<*>"

_GLUED = r"[\w.$/@+~#%-]*(?:<\w+>[\w.$/@+~#%-]*)+"
_RUN = r"<\w+>\S* +\S*<\w+>"


def _kind(word: str) -> str:
    """What a word is taken for: one with something in it that varies is as good as
    another.
    """
    return f"replace(regexp_replace({word}, '{_GLUED}', '{ANY}', 'g'), '()', '({ANY})')"


_WORDS = rf"""
w0 AS (SELECT pattern, sum(n) AS n, string_split(
    trim(regexp_replace(pattern, '\s+', ' ', 'g')), ' ') AS words
    FROM m GROUP BY pattern),
w AS MATERIALIZED (SELECT pattern, n, CASE WHEN regexp_matches(pattern, '{_RUN}')
    THEN list_filter(words, lambda one, i: NOT contains(one, '<')
        OR rtrim(one, ',') IS DISTINCT FROM rtrim(words[i + 1], ',')
        OR rtrim(one, ',') IS DISTINCT FROM rtrim(words[i + 2], ','))
    ELSE words END AS words FROM w0)"""
"""A list of things that vary is two of them: `delete <num>, <num>`."""

_CELLS = rf"""
t AS MATERIALIZED (SELECT row_number() OVER () AS id, words FROM (
    SELECT words FROM w WHERE len(words) <= {MOST_WORDS}
    GROUP BY words ORDER BY sum(n) DESC, words LIMIT {COMPARED})),
c0 AS (SELECT id, unnest(words) AS shown, generate_subscripts(words, 1) AS pos,
    unnest(list_prepend('', words[1:len(words) - 1])) AS before FROM t),
c1 AS (SELECT *, {_kind("shown")} AS kind FROM c0),
c AS MATERIALIZED (SELECT id, pos, shown, kind, hash(kind) AS h,
    contains(kind, '<') AS varies,
    if(contains(kind, '='), split_part(kind, '=', 1), '') AS value_of,
    regexp_full_match(kind, '[A-Z][A-Z_]+\W*') AS is_capital,
    CASE WHEN lower(rtrim(before, ':=')) IN {NAMED} THEN {FEW_NAMES}
        WHEN value_of <> '' THEN {FEW_VALUES} ELSE {FEW} END AS few FROM c1)"""
"""Every word of those that are compared: where it stands, and what it is taken for."""

_TREE = f"""
s AS (
    SELECT id, hash(len(words)) AS g, 0 AS step FROM t UNION ALL (
    WITH a AS MATERIALIZED (SELECT id, g, step FROM s JOIN (
        SELECT g FROM s GROUP BY g HAVING count(*) > 1) USING (g)),
    k AS (SELECT g, pos, count(DISTINCT h) AS different,
        CASE WHEN pos = 1 OR bool_and(is_capital OR varies) THEN {MANY}
            ELSE max(few) END - bool_or(varies)::INT AS few
        FROM a JOIN c USING (id) GROUP BY g, pos),
    e AS (SELECT g, least.pos AS pos FROM (
        SELECT g, (count(*) FILTER (different = 1)) / count(*) AS alike,
            min(struct_pack(different, pos, few)) FILTER (different > 1) AS least
        FROM k GROUP BY g) WHERE alike < {ALIKE} OR least.different <= least.few)
    SELECT a.id, hash(a.g, e.pos, c.h), step + 1
    FROM a JOIN e USING (g) JOIN c ON c.id = a.id AND c.pos = e.pos)),
f AS MATERIALIZED (SELECT id, arg_max(g, step) AS g FROM s GROUP BY id)"""
"""Which group each is in: from one of as many words each, it follows the words of the
columns by which the groups are divided.
"""

_SHOWN = f"""
u AS (SELECT g, pos, CASE WHEN min(shown) = max(shown) THEN min(shown)
    WHEN min(kind) = max(kind) THEN min(kind)
    WHEN min(value_of) = max(value_of) AND min(value_of) <> ''
        THEN min(value_of) || '={ANY}'
    ELSE '{ANY}' END AS shown FROM f JOIN c USING (id) GROUP BY g, pos),
v AS (SELECT g, string_agg(shown, ' ' ORDER BY pos) AS name FROM u GROUP BY g),
named AS (SELECT pattern, coalesce(name, pattern) AS name FROM w LEFT JOIN
    (SELECT words, name FROM t JOIN f USING (id) JOIN v USING (g)) USING (words))"""

TEMPLATES: Final = ",".join((_WORDS, _CELLS, _TREE, _SHOWN))
"""What stands between WITH RECURSIVE and SELECT: from `m` (pattern, n: how often)
to `named` (pattern, name: its template).
"""
