"""Commands that take a query: one that begins with `-` is no option.

`-level:error` would be `-l evel:error`, and find something else without a word.
"""

import re
from typing import Any

from typer.core import TyperCommand

_QUERY = re.compile(r"-[^-].*[:(\"*|/\s]|-[(\"/*]", re.DOTALL)
"""What an option, with its value or without, does not look like."""
_MARK = "\ue000"


class QueryCommand(TyperCommand):
    """A command whose arguments are the words of a query."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        valued = {
            name
            for param in self.get_params(ctx)
            if not getattr(param, "is_flag", True)
            for name in param.opts
        }
        found: list[str] = super().parse_args(ctx, _marked(args, valued))
        words = ctx.params.get("words")
        if words is not None:
            ctx.params["words"] = [word.removeprefix(_MARK) for word in words]
        return found


def _marked(args: list[str], valued: set[str]) -> list[str]:
    marked: list[str] = []
    before = ""
    for at, one in enumerate(args):
        if one == "--":
            return marked + args[at:]
        is_query = before not in valued and _QUERY.match(one)
        marked.append(_MARK + one if is_query else one)
        before = one
    return marked
