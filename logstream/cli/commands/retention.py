"""`logstream retention`: how long entries are kept, looked at and set at run time."""

from typing import TYPE_CHECKING, Annotated

import typer

from logstream.cli.output import OutputFormat
from logstream.cli.parameters import Config, Data, Output, Server

if TYPE_CHECKING:
    from logstream.cli.backend import KeptRule, Retained

app = typer.Typer(
    name="retention",
    help="Show and set how long entries are kept.",
    no_args_is_help=True,
)

_MAX_DAYS = 100_000


@app.command("show")
def show_(
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Show what is in effect, and where it is from."""
    from logstream.cli.connect import open_backend

    with open_backend(server=server, data=data, config=config) as backend:
        found = backend.retention()
    _write(found, output)


@app.command("set")
def set_(
    *,
    max_age_days: Annotated[
        int | None,
        typer.Option(
            "--max-age-days",
            min=0,
            max=_MAX_DAYS,
            help="For what no rule is about; 0 keeps for ever.",
        ),
    ] = None,
    max_bytes: Annotated[
        str | None,
        typer.Option(
            "--max-bytes", metavar="SIZE", help="Such as 50GB; 0 is no limit."
        ),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="'DAYS QUERY'",
            help="Such as '30 level:fatal'; the first that matches decides. Given once "
            "or more, these take the place of all rules.",
        ),
    ] = None,
    no_rules: Annotated[
        bool, typer.Option("--no-rules", help="Take all rules away.")
    ] = False,
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Set how long entries are kept, from now on and after a restart.

    What is not named stays as it is. What is too old goes within a minute, for good.
    """
    import msgspec

    from logstream.cli.connect import open_backend
    from logstream.core.errors import BadRequest

    if rules and no_rules:
        raise BadRequest("--rule and --no-rules exclude each other.")
    changes: dict[str, object] = {}
    if max_age_days is not None:
        changes["max_age_days"] = max_age_days
    if max_bytes is not None:
        changes["max_bytes"] = _bytes_of(max_bytes)
    if rules or no_rules:
        changes["rules"] = [_rule_of(text) for text in rules or ()]
    if not changes:
        raise BadRequest("Name what to set: --max-age-days, --max-bytes or --rule.")
    with open_backend(server=server, data=data, config=config) as backend:
        policy = msgspec.structs.replace(backend.retention().policy, **changes)
        found = backend.set_retention(policy)
    _write(found, output)


@app.command()
def reset(
    output: Output = OutputFormat.table,
    server: Server = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Go back to what the config says."""
    from logstream.cli.connect import open_backend

    with open_backend(server=server, data=data, config=config) as backend:
        found = backend.set_retention(None)
    _write(found, output)


def _bytes_of(text: str) -> int:
    from logstream.core.errors import BadRequest
    from logstream.query.quantities import in_value

    found = in_value(text.strip(), "size", 1.0)
    if found is None or not 0 <= found < 1 << 62:
        raise BadRequest(f"--max-bytes {text!r} is no size: write such as 50GB.")
    return int(found)


def _rule_of(text: str) -> "KeptRule":
    from logstream.cli.backend import KeptRule
    from logstream.cli.pointing import pointing_at
    from logstream.core.errors import BadRequest
    from logstream.query import compile_filter

    days, _, query = text.strip().partition(" ")
    days, query = days.removesuffix("d"), query.strip()
    if not (days.isascii() and days.isdigit() and int(days) <= _MAX_DAYS and query):
        raise BadRequest(
            f"--rule {text!r}: write days and a query, such as '30 level:fatal'."
        )
    with pointing_at(query):
        compile_filter(query)
    return KeptRule(query=query, max_age_days=int(days))


def _write(found: "Retained", output: OutputFormat) -> None:
    from logstream.cli.output import write_json, write_ndjson, write_records
    from logstream.cli.tables import size, write_table

    policy = found.policy
    match output:
        case OutputFormat.json:
            write_json(found)
        case OutputFormat.ndjson:
            write_ndjson([found])
        case OutputFormat.csv:
            rules = [[rule.query, rule.max_age_days] for rule in policy.rules]
            rows = [*rules, ["", policy.max_age_days]]
            write_records(["query", "max_age_days"], rows, output)
        case OutputFormat.table:
            lines = [[rule.query, _days(rule.max_age_days)] for rule in policy.rules]
            rest = "everything else" if lines else "everything"
            write_table(
                ["entries", "kept"], [*lines, [rest, _days(policy.max_age_days)]]
            )
            if policy.max_bytes:
                limit = size(policy.max_bytes)
                typer.echo(f"Above {limit} in all, the oldest days go.", err=True)
            where = {
                "api": "Set at run time; `logstream retention reset` goes back to the "
                "config.",
                "config": "From the config.",
            }
            typer.echo(where[found.origin], err=True)
            if found.waits:
                typer.echo(found.waits, err=True)


def _days(count: int) -> str:
    if count == 0:
        return "for ever"
    return "1 day" if count == 1 else f"{count:,} days"
