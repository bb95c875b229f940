"""The guard: what a statement of a user may be made of, by DuckDB's own parse tree.

One SELECT. Its tables are `logs`, those that the operator allows, and its own CTEs; its
functions and types stand in a list. What is not known is refused: a statement, a node
of the tree, a function. So is what DuckDB would take for a file (`FROM 'a.csv'`), since
that is a table like any other in the tree.

The guard is not the only wall: `storage.sql.confinement` is what holds if it has a gap.
"""

import re
from collections.abc import Collection
from typing import Any

import duckdb
import msgspec

from logstream.core.errors import QuerySyntaxError
from logstream.storage.sql.functions import (
    ALLOWED,
    FORMATTING,
    OF_TABLES,
    SIZED,
    TYPES,
)

MAX_BYTES = 65_536
_MAX_SEMICOLONS = 8
_MAX_NODES = 20_000
_MAX_DEPTH = 400
_MAX_SIZE = 1_000
"""The largest literal that a function takes for the size of what it makes."""

_QUERIES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"})
_PLAIN = frozenset(
    {
        *("EMPTY", "SUBQUERY", "JOIN", "EXPRESSION_LIST", "PIVOT"),
        *("LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER"),
        *("DISTINCT_MODIFIER", "ORDER_DEFAULT", "ASCENDING", "DESCENDING"),
    }
)
_EXPRESSIONS = frozenset(
    {
        *("BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON"),
        *("CONJUNCTION", "CONSTANT", "LAMBDA", "LAMBDA_REF", "OPERATOR", "PARAMETER"),
        *("POSITIONAL_REFERENCE", "STAR", "SUBQUERY"),
    }
)
_KINDS = {
    "MULTI": "a PIVOT without IN (…)",
    "MERGE_INTO": "a MERGE",
    "EXPLAIN": "an EXPLAIN",
    "THIS": "this",
}
_DIGITS = re.compile(r"[0-9]{4,}|\*|\{[^}]*\{")
"""In a format: a width beyond reason, or one that is computed."""

Node = dict[str, Any]


class Checked(msgspec.Struct, frozen=True):
    """A statement that may be run."""

    text: str
    """Without what ends it; may be put into another statement, in parentheses."""
    node: Any
    """Its parse tree, without places in the text."""
    tables: frozenset[tuple[str, ...]]
    """The tables that it names, in lower case, without its own CTEs."""


def check(
    db: duckdb.DuckDBPyConnection, text: str, *, tables: Collection[tuple[str, ...]]
) -> Checked:
    """Parse and check a statement; nothing of it is bound or run.

    Args:
        tables: Names that it may read, in lower case, such as `("logs",)`.

    Raises:
        QuerySyntaxError: it does not parse, or may not be run; says what and where.
    """
    _expect_one_select(db, text)
    tree = tree_of(db, text)
    walk = _Walk(text, tables)
    try:
        walk.visit(tree, frozenset(), 0)
        node = without_places(tree)
    except RecursionError:
        raise QuerySyntaxError("The SQL is nested too deeply.", offset=0) from None
    return Checked(_unended(db, text, node), node, frozenset(walk.used))


def is_inside(db: duckdb.DuckDBPyConnection, text: str, checked: Checked) -> bool:
    """Whether a statement is a SELECT FROM the checked one, in parentheses."""
    try:
        tree = tree_of(db, text)
    except QuerySyntaxError:
        return False
    inside = tree.get("from_table", {}).get("subquery", {}).get("node")
    return bool(without_places(inside) == checked.node)


def without_places(found: Any) -> Any:
    """A tree without where its nodes stand in the text."""
    if isinstance(found, list):
        return [without_places(one) for one in found]
    if not isinstance(found, dict):
        return found
    return {
        key: without_places(value)
        for key, value in found.items()
        if not key.startswith("query_location")
    }


def _unended(db: duckdb.DuckDBPyConnection, text: str, node: Any) -> str:
    """The text without the semicolons behind it, if comments stand there too."""
    text = text.rstrip().rstrip(";")
    for _ in range(_MAX_SEMICOLONS):
        at = text.rfind(";")
        try:
            if at < 0 or without_places(tree_of(db, text[:at])) != node:
                return text
        except QuerySyntaxError:
            return text
        text = text[:at]
    return text


def _expect_one_select(db: duckdb.DuckDBPyConnection, text: str) -> None:
    try:
        if len(text.encode()) > MAX_BYTES:
            raise QuerySyntaxError(f"SQL is up to {MAX_BYTES} bytes long.", offset=0)
        statements = db.extract_statements(text)
    except UnicodeEncodeError:
        raise QuerySyntaxError("The SQL is not valid Unicode.", offset=0) from None
    except duckdb.Error as error:
        raise syntax_error(text, error) from None
    if len(statements) != 1:
        found = "none" if not statements else f"{len(statements)}"
        raise QuerySyntaxError(f"Send one SELECT; there is {found} here.", offset=0)
    try:
        name = statements[0].type.name
    except ValueError:  # DuckDB has kinds that its Python does not know
        name = "THIS"
    if name != "SELECT":
        kind = _KINDS.get(name, name.replace("_", " "))
        raise QuerySyntaxError(f"Only SELECT may be run here, not {kind}.", offset=0)


def tree_of(db: duckdb.DuckDBPyConnection, text: str) -> Any:
    """The parse tree of one SELECT. Raises QuerySyntaxError."""
    serialized = "SELECT json_serialize_sql(?::VARCHAR, skip_null := true)"
    try:
        found = db.execute(serialized, (text,)).fetchall()[0][0]
        tree = msgspec.json.decode(found)
    except (duckdb.InterruptException, duckdb.OutOfMemoryException):
        raise
    except (duckdb.Error, msgspec.MsgspecError, RecursionError):
        raise QuerySyntaxError("The SQL cannot be checked.", offset=0) from None
    if tree.get("error") is not False or len(tree["statements"]) != 1:
        reason = str(tree.get("error_message", "it is no SELECT"))
        raise QuerySyntaxError(f"The SQL cannot be run here: {reason}.", offset=0)
    return tree["statements"][0]["node"]


def syntax_error(
    text: str, error: duckdb.Error, *, lines_before: int = 0
) -> QuerySyntaxError:
    """DuckDB's words on a statement that is wrong, and where, without its drawing.

    Args:
        lines_before: Of what DuckDB was given, before the text.
    """
    message, _, drawing = str(error).partition("\n\nLINE ")
    offset = _drawn_at("\n" * lines_before + text, drawing) - lines_before
    return QuerySyntaxError(message.strip(), offset=max(offset, 0))


def _drawn_at(text: str, drawing: str) -> int:
    """Where the caret of DuckDB's drawing stands."""
    found = re.match(r"(\d+): (.*)\n( *)\^", drawing)
    if found is None:
        return 0
    lines = text.split("\n")
    number = int(found[1])
    column = len(found[3]) - len(f"LINE {number}: ")
    if number > len(lines) or column < 0 or column >= len(found[2]):
        return 0
    shown = found[2].removeprefix("...")
    column -= len(found[2]) - len(shown)
    begin = lines[number - 1].find(shown.removesuffix("..."))
    if begin < 0 or column < 0:
        return 0
    return sum(len(line) + 1 for line in lines[: number - 1]) + begin + column


class _Walk:
    """One look at a tree: refuses, and gathers the tables that are named."""

    def __init__(self, text: str, tables: Collection[tuple[str, ...]]) -> None:
        self._bytes = text.encode()
        self._tables = tables
        self._nodes = 0
        self.used: set[tuple[str, ...]] = set()

    def visit(self, found: Any, scope: frozenset[str], depth: int) -> None:
        """Args: scope: CTEs that can be seen here, in lower case."""
        if isinstance(found, list):
            for one in found:
                self.visit(one, scope, depth)
            return
        if not isinstance(found, dict):
            return
        self._nodes += 1
        if self._nodes > _MAX_NODES or depth > _MAX_DEPTH:
            raise self._refusal(found, "The SQL is too large, or nested too deeply")
        scope = self._with_ctes(found, scope, depth)
        if "class" in found:
            self._expression(found)
        elif isinstance(found.get("type"), str):
            self._relation(found, scope)
        for key, value in found.items():
            if key == "function" and found.get("type") == "TABLE_FUNCTION":
                # Checked with the table function, from another list.
                self.visit(value.get("arguments"), scope, depth + 1)
            elif key != "cte_map":
                self.visit(value, scope, depth + 1)

    def _with_ctes(
        self, node: Node, scope: frozenset[str], depth: int
    ) -> frozenset[str]:
        """The scope of a query, whose CTEs are visited; each sees those before it."""
        for cte in node.get("cte_map", {}).get("map", []):
            self.visit(cte["value"], scope, depth + 1)
            scope |= {cte["key"].lower()}
        if node.get("type") == "RECURSIVE_CTE_NODE":
            scope |= {node["cte_name"].lower()}
        return scope

    def _relation(self, node: Node, scope: frozenset[str]) -> None:
        match node["type"]:
            case "BASE_TABLE":
                self._table(node, scope)
            case "TABLE_FUNCTION":
                name, _ = self._name_of(node["function"])
                if name not in OF_TABLES:
                    raise self._refusal(
                        node, f"The table function {_quoted(name)} may not be used"
                    )
            case "SHOW_REF":
                if node.get("show_type") not in ("DESCRIBE", "SUMMARY"):
                    raise self._refusal(node, "Only DESCRIBE and SUMMARIZE may be used")
                if "query" not in node:
                    raise self._refusal(node, "Describe a table or a SELECT")
            case kind if kind not in _QUERIES and kind not in _PLAIN:
                what = kind.removesuffix("_NODE").replace("_", " ")
                raise self._refusal(node, f"{what} may not be used here")
            case _:
                pass

    def _table(self, node: Node, scope: frozenset[str]) -> None:
        path = tuple(str(part).lower() for part in node["qualified_name"]["path"])
        if "at_clause" in node:
            raise self._refusal(node, "AT (…) may not be used")
        if len(path) == 1 and path[0] in scope:
            return
        if path not in self._tables:
            known = ", ".join(sorted(".".join(name) for name in self._tables))
            name = _quoted(".".join(path))
            raise self._refusal(
                node, f"There is no table {name}. There is: {known}, and your own CTEs"
            )
        self.used.add(path)

    def _expression(self, node: Node) -> None:
        match node["class"]:
            case "FUNCTION" | "WINDOW":
                self._function(node)
            case "TYPE":
                name = str(node.get("type_name", "")).lower()
                if name not in TYPES or len(node["qualified_name"]["path"]) != 1:
                    raise self._refusal(
                        node, f"The type {_quoted(name)} may not be used"
                    )
            case kind if kind not in _EXPRESSIONS:
                raise self._refusal(node, f"{kind} may not be used here")
            case _:
                pass

    def _function(self, node: Node) -> None:
        name, qualified = self._name_of(node)
        if node.get("is_operator") and not name.isidentifier():
            return
        if name not in ALLOWED:
            hint = ""
            if name in OF_TABLES:
                hint = ": write it in FROM"
            raise self._refusal(
                node, f"The function {_quoted(name)} may not be used{hint}"
            )
        if name in SIZED and (
            qualified or not _is_small(node.get("arguments", []), SIZED[name])
        ):
            raise self._refusal(
                node,
                f"{name} takes its size as a literal here, up to {_MAX_SIZE}",
            )
        if name in FORMATTING and (
            qualified or not _is_plain_format(node.get("arguments", []))
        ):
            raise self._refusal(
                node,
                f"{name} takes its format as a literal here, with widths up to 999",
            )

    def _name_of(self, function: Node) -> tuple[str, bool]:
        """In lower case, and whether it is called with a path, such as `a.upper()`."""
        path = function["qualified_name"]["path"]
        name = str(path[-1]).lower()
        if name != str(function["function_name"]).lower():
            raise self._refusal(function, "The SQL cannot be checked")
        return name, len(path) > 1

    def _refusal(self, node: Node, message: str) -> QuerySyntaxError:
        at = node.get("query_location", 0)
        inside = at if isinstance(at, int) and at <= len(self._bytes) else 0
        offset = len(self._bytes[:inside].decode(errors="ignore"))
        return QuerySyntaxError(f"{message}.", offset=offset)


def _is_small(arguments: list[Node], at: int) -> bool:
    if len(arguments) <= at or any(one.get("name") for one in arguments):
        return False
    literal = arguments[at].get("expression", {}).get("literal", {})
    text = str(literal.get("text", ""))
    return literal.get("kind") == "INTEGER" and text.isdecimal() and _small(text)


def _small(text: str) -> bool:
    return len(text) <= 7 and int(text) <= _MAX_SIZE


def _is_plain_format(arguments: list[Node]) -> bool:
    if not arguments or any(one.get("name") for one in arguments):
        return False
    literal = arguments[0].get("expression", {}).get("literal", {})
    plain = not _DIGITS.search(str(literal.get("text", "")))
    return literal.get("kind") == "STRING" and plain


def _quoted(name: str) -> str:
    return repr(name[:60])
