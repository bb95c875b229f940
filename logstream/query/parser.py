"""Tokens to a tree, by recursive descent.

    query     = [ any ] END
    any       = all { "OR" all }
    all       = not { [ "AND" ] not }
    not       = { "NOT" | "-" } ( "(" any ")" | term )
    term      = WORD | REGEX | name ":" value | name ":" "(" any ")"
    value     = WORD | REGEX | "~" WORD | COMPARE WORD | "in(" WORD { "," WORD } ")"
              | ( "[" | "{" ) WORD "TO" WORD ( "]" | "}" )

Inside `name:( … )`, a term is a value of that name.

Each error has the offset of the token that did not fit and says what would have.
"""

from typing import Final, NoReturn

from logstream.core.errors import BadRequest
from logstream.query.elsewhere import apart_hint
from logstream.query.glob import Glob
from logstream.query.lexer import syntax_error, tokenize
from logstream.query.limits import (
    MAX_DEPTH,
    MAX_TERMS,
    MAX_TEXT_BYTES,
    check_written_out,
    could_be_long,
)
from logstream.query.meaning import condition_of
from logstream.query.nodes import (
    OPERATORS,
    All,
    Anywhere,
    Bound,
    Compare,
    Exists,
    Expr,
    In,
    Leaf,
    Match,
    Not,
    Range,
    Regex,
    Says,
    all_of,
    any_of,
)
from logstream.query.quoting import offset_of_broken
from logstream.query.tokens import Kind, Token

_VALUES: Final = (Kind.WORD, Kind.REGEX, Kind.TILDE, Kind.COMPARE, Kind.OPEN)
_A_TERM: Final = "a word, a \"phrase\", field:value or '('"


def parse(text: str) -> Expr:
    """The tree of a text that is a filter and nothing else; All for an empty one.

    Raises:
        QuerySyntaxError: it is no filter, or over a limit.
    """
    expr, end = parse_prefix(text)
    if text.startswith(")", end):
        raise syntax_error("this ')' closes nothing", end)
    if end < len(text):
        raise syntax_error("a filter alone goes here, no pipes: quote the '|'", end)
    if could_be_long(text):
        check_written_out(lambda: parse_prefix(str(expr)))
    return expr


def parse_prefix(text: str, start: int = 0) -> tuple[Expr, int]:
    """The tree of the filter that begins at `start`, and where it ends: at a `|`
    outside of quotes, at a `)` that closes nothing, or at the end of the text.

    Offsets, of errors too, count from the beginning of the text. Its length is limited
    as a whole; terms and depth of each filter are.

    Raises:
        QuerySyntaxError: there is no filter, or it is over a limit.
    """
    broken = offset_of_broken(text)
    if broken is not None:
        raise syntax_error("NUL and half surrogate pairs are in no log entry", broken)
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise syntax_error(
            f"a query has at most {MAX_TEXT_BYTES} bytes", min(len(text), 65_535)
        )
    return _Parser(tokenize(text, start)).query()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self._depth = 0
        self._terms = 0
        self._group: Token | None = None
        """The name that a group is about."""

    def query(self) -> tuple[Expr, int]:
        expr = All() if self._here.kind is Kind.END else self._any()
        return expr, self._here.start

    def _any(self) -> Expr:
        """Two levels of the grammar in one, to be sparing with frames."""
        options: list[Expr] = []
        while True:
            terms = [self._not()]
            while self._here.kind not in (Kind.OR, Kind.RIGHT, Kind.END):
                self._accept(Kind.AND)
                terms.append(self._not())
            options.append(all_of(*terms))
            if not self._accept(Kind.OR):
                return any_of(*options)

    def _not(self) -> Expr:
        negations = 0
        while self._here.kind in (Kind.NOT, Kind.MINUS):
            self._enter()
            negations += 1
        if self._here.kind is Kind.LEFT:
            left = self._enter()
            expr = self._any()
            if not self._accept(Kind.RIGHT):
                self._expected(f"')' for the '(' at character {left.start + 1}")
            self._depth -= 1
        else:
            expr = self._term()
        for _ in range(negations):
            expr = Not(expr)
        self._depth -= negations
        return expr

    def _term(self) -> Expr:
        first = self._here
        if first.kind is Kind.COLON:
            self._fail("expected a field's name right before ':'")
        if first.kind not in (_VALUES if self._group else (Kind.WORD, Kind.REGEX)):
            self._expected("a value" if self._group else _A_TERM)
        self._terms += 1
        if self._terms > MAX_TERMS:
            self._fail(f"a query has at most {MAX_TERMS} terms")
        self._next()
        if self._group:
            return self._value(self._group, first)
        if self._here.kind is Kind.COLON:
            return self._field(first)
        self._apart(first)
        if first.kind is Kind.REGEX:
            return self._regex("message", first)
        if first.glob.is_any:
            return All()
        if not first.glob.parts:
            self._fail("expected a word between the quotes", first)
        return self._meant(Says(first.glob), first)

    def _field(self, name: Token) -> Expr:
        colon = self._next()
        if colon.start != name.end:
            self._fail("expected a field's name right before ':'", colon)
        value = self._here
        if value.start == colon.end and value.kind is Kind.LEFT:
            return self._group_of(name)
        if value.start != colon.end or value.kind not in (*_VALUES, Kind.IN):
            self._fail(
                f"expected a value right after ':', or quotes around {name.text}:",
                colon,
            )
        self._next()
        return self._value(name, value)

    def _group_of(self, name: Token) -> Expr:
        left = self._enter()
        self._terms -= 1  # its values are counted
        self._group = name
        expr = self._any()
        if not self._accept(Kind.RIGHT):
            self._expected(f"')' for the '(' at character {left.start + 1}")
        self._group = None
        self._depth -= 1
        return expr

    def _value(self, name: Token, value: Token) -> Expr:
        if name.glob.is_any and name.text[:1] != '"':
            return self._anywhere(value)
        field = name.glob.literal
        if field is None:
            self._fail("a field's name has no wildcards: put it in quotes", name)
        match value.kind:
            case Kind.COMPARE:
                return self._compare(field, value)
            case Kind.OPEN:
                return self._range(field, value)
            case Kind.IN:
                return self._in(field, value)
            case Kind.REGEX:
                self._apart(value)
                return self._regex(field, value)
            case Kind.TILDE:
                return self._regex(field, self._right_after(value))
            case _:
                self._apart(value)
                return self._meant(_match(field, value.glob), value)

    def _anywhere(self, value: Token) -> Expr:
        if value.kind is not Kind.WORD:
            self._fail("after '*:' expected a word or a \"phrase\"", value)
        self._apart(value)
        if value.glob.is_any:
            return All()
        if not value.glob.parts:
            self._fail("expected a value between the quotes", value)
        return self._meant(Anywhere(value.glob), value)

    def _in(self, field: str, opening: Token) -> Expr:
        values = [self._operand("a value").plain]
        while self._accept(Kind.COMMA):
            values.append(self._operand("a value").plain)
        if not self._accept(Kind.RIGHT):
            self._expected("',' or ')'")
        return self._meant(In(field, tuple(values)), opening)

    def _regex(self, field: str, at: Token) -> Leaf:
        try:
            leaf = Regex(field, at.plain, at.flags)
        except BadRequest as error:
            self._fail(str(error).removesuffix("."), at)
        return self._meant(leaf, at)

    def _right_after(self, sign: Token) -> Token:
        value = self._here
        if value.kind is not Kind.WORD or value.start != sign.end:
            self._fail(f"expected a value right after '{sign.text}'", sign)
        self._next()
        self._apart(value)
        return value

    def _compare(self, field: str, comparison: Token) -> Expr:
        value = self._right_after(comparison)
        operator = next(each for each in OPERATORS if each == comparison.text)
        return self._meant(Compare(field, operator, value.plain), value)

    def _range(self, field: str, opening: Token) -> Expr:
        low = self._operand("the low end of the range, or *")
        if not self._accept(Kind.TO):
            self._expected("TO")
        high = self._operand("the high end of the range, or *")
        closing = self._here
        if not self._accept(Kind.CLOSE):
            self._expected("']' or '}'")
        self._apart(closing)
        least = self._bound(field, low, inclusive=opening.text == "[")
        most = self._bound(field, high, inclusive=closing.text == "]")
        if least is None and most is None:
            return self._meant(Exists(field), opening)
        return Range(field, least, most)

    def _bound(self, field: str, at: Token, *, inclusive: bool) -> Bound | None:
        if at.glob.is_any:
            return None
        bound = Bound(at.plain, inclusive=inclusive)
        self._meant(Range(field, bound, None), at)
        return bound

    def _operand(self, what: str) -> Token:
        if self._here.kind is not Kind.WORD:
            self._expected(what)
        return self._next()

    def _meant(self, leaf: Leaf, at: Token) -> Leaf:
        """The leaf, once it is known to mean something."""
        try:
            condition_of(leaf)
        except BadRequest as error:
            self._fail(str(error).removesuffix("."), at)
        return leaf

    def _apart(self, before: Token) -> None:
        """`foo(bar)` and `"a"b` are kept for later: today they would be an AND."""
        here = self._here
        if here.start == before.end and here.kind in (Kind.LEFT, Kind.WORD, Kind.REGEX):
            hint = apart_hint(before.text, here.text)
            self._fail(f"expected a blank before {here.shown}{hint}")

    @property
    def _here(self) -> Token:
        return self._tokens[self._index]

    def _next(self) -> Token:
        token = self._tokens[self._index]
        self._index += 1
        return token

    def _enter(self) -> Token:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"a query has at most {MAX_DEPTH} levels of '(' and NOT")
        return self._next()

    def _accept(self, kind: Kind) -> bool:
        if self._here.kind is not kind:
            return False
        self._index += 1
        return True

    def _expected(self, what: str) -> NoReturn:
        self._fail(f"expected {what}, found {self._here.shown}")

    def _fail(self, message: str, at: Token | None = None) -> NoReturn:
        raise syntax_error(message, (at or self._here).start)


def _match(field: str, glob: Glob) -> Leaf:
    return Exists(field) if glob.is_any else Match(field, glob)
