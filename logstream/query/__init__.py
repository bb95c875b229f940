"""The query language: text to a syntax tree, and from there to SQL or to Python.

Imports no engine: the SQL is text and parameters, for DuckDB.
"""

from logstream.query.filter import (
    Filter,
    compile_expr,
    compile_filter,
    level_in,
    source_is,
)
from logstream.query.glob import Glob, Wild, glob_of
from logstream.query.layouts import Layout
from logstream.query.nodes import (
    All,
    And,
    Anywhere,
    Bound,
    Compare,
    Exists,
    Expr,
    In,
    Match,
    Not,
    Or,
    Range,
    Regex,
    Says,
    all_of,
    any_of,
)
from logstream.query.parser import parse, parse_prefix
from logstream.query.spans import span_of

__all__ = [
    "All",
    "And",
    "Anywhere",
    "Bound",
    "Compare",
    "Exists",
    "Expr",
    "Filter",
    "Glob",
    "In",
    "Layout",
    "Match",
    "Not",
    "Or",
    "Range",
    "Regex",
    "Says",
    "Wild",
    "all_of",
    "any_of",
    "compile_expr",
    "compile_filter",
    "glob_of",
    "level_in",
    "parse",
    "parse_prefix",
    "source_is",
    "span_of",
]
