"""Tokens to a tree, by recursive descent.

    query     = [ any ] END
    any       = all { "OR" all }
    all       = not { [ "AND" ] not }
    not       = { "NOT" | "-" } ( "(" any ")" | term )
    term      = WORD | name ":" value
    value     = WORD | COMPARE WORD | ( "[" | "{" ) WORD "TO" WORD ( "]" | "}" )

Each error has the offset of the token that did not fit and says what would have.
"""

from typing import Final, NoReturn

from logstream.core.errors import BadRequest
from logstream.query.glob import Glob
from logstream.query.lexer import syntax_error, tokenize
from logstream.query.meaning import condition_of
from logstream.query.nodes import (
    OPERATORS,
    All,
    Bound,
    Compare,
    Exists,
    Expr,
    Leaf,
    Match,
    Not,
    Range,
    Says,
    all_of,
    any_of,
)
from logstream.query.quoting import offset_of_broken
from logstream.query.tokens import Kind, Token

MAX_TEXT_BYTES = 65_536
MAX_DEPTH = 200
"""Levels of parentheses and NOT. The parser takes two Python frames for each."""
MAX_TERMS = 1_000

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
        if first.kind is not Kind.WORD:
            self._expected(_A_TERM)
        self._terms += 1
        if self._terms > MAX_TERMS:
            self._fail(f"a query has at most {MAX_TERMS} terms")
        self._next()
        if self._here.kind is Kind.COLON:
            return self._field(first)
        self._apart(first)
        if first.glob.is_any:
            return All()
        if not first.glob.parts:
            self._fail("expected a word between the quotes", first)
        return self._meant(Says(first.glob), first)

    def _field(self, name: Token) -> Expr:
        colon = self._next()
        if colon.start != name.end:
            self._fail("expected a field's name right before ':'", colon)
        field = name.glob.literal
        if field is None:
            self._fail("a field's name has no wildcards: put it in quotes", name)
        value = self._here
        if value.kind is Kind.LEFT:
            self._fail(f"expected one value: write ({name.text}:a OR {name.text}:b)")
        if value.start != colon.end or value.kind in (Kind.RIGHT, Kind.END):
            self._fail(
                f"expected a value right after ':', or quotes around {name.text}:",
                colon,
            )
        self._next()
        match value.kind:
            case Kind.COMPARE:
                return self._compare(field, value)
            case Kind.OPEN:
                return self._range(field, value)
            case _:
                self._apart(value)
                return self._meant(_match(field, value.glob), value)

    def _compare(self, field: str, comparison: Token) -> Expr:
        value = self._here
        if value.kind is not Kind.WORD or value.start != comparison.end:
            what = f"expected a value right after '{comparison.text}'"
            self._fail(what, comparison)
        self._next()
        self._apart(value)
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
        if here.start == before.end and here.kind in (Kind.LEFT, Kind.WORD):
            self._fail(f"expected a blank before {here.shown}")

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
