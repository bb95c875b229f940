"""The store as an operator sees it: what lies in it, how long it stays, what goes.

Backups and checks of the whole store are here too.
"""

from functools import partial
from typing import Annotated, Literal

import msgspec
from litestar import Response, delete, get, post, put
from msgspec import Meta

from logstream.api.bodies import AnyRequest
from logstream.api.context import context_of, json_answer
from logstream.api.left_out import left_out_of
from logstream.api.operations import Operation, RequestBody
from logstream.api.parameters import Fields, NoParameters, body_of, query_of
from logstream.api.selection import select, span_of
from logstream.config.settings import RetentionConfig
from logstream.core.errors import (
    BadRequest,
    DiskFull,
    NotReady,
    QuerySyntaxError,
    QueryTimeout,
    StorageError,
    UnreadableDays,
)
from logstream.core.findings import Report
from logstream.pipeline.backups import folder_in
from logstream.storage.backup import BackupDone
from logstream.storage.listing import StorageState
from logstream.storage.retention import RetentionState

_MAX_DAYS = 100_000


class DeleteParameters(Fields, frozen=True, kw_only=True):
    filter: Annotated[
        str, Meta(description="A query: what it finds in the time range goes.")
    ] = ""
    from_: Annotated[str, Meta(description="Begin of the time range, inclusive.")] = (
        msgspec.field(name="from", default="")
    )
    to: Annotated[str, Meta(description="End of the time range, exclusive.")] = ""
    dry_run: Annotated[bool, Meta(description="Only count what would go.")] = False
    all: Annotated[
        bool, Meta(description="Everything in the time range, in place of a filter.")
    ] = False


class DeleteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["ok"] = "ok"
    dry_run: bool
    entries: Annotated[int, Meta(description="Deleted; in a dry run, to be deleted.")]
    days: Annotated[int, Meta(description="UTC days that had any of them.")]
    by_source: dict[str, int]


class RuleBody(Fields, frozen=True, kw_only=True):
    query: Annotated[str, Meta(description="In the query language.")]
    max_age_days: Annotated[
        int, Meta(ge=0, le=_MAX_DAYS, description="0 keeps for ever.")
    ]


class RetentionBody(Fields, frozen=True, kw_only=True):
    max_age_days: Annotated[
        int, Meta(ge=0, le=_MAX_DAYS, description="0 keeps for ever.")
    ] = 0
    max_bytes: Annotated[int, Meta(ge=0, description="0 = no limit.")] = 0
    rules: Annotated[
        tuple[RuleBody, ...],
        Meta(description="The first whose query matches an entry decides its age."),
    ] = ()


class BackupBody(Fields, frozen=True, kw_only=True):
    to: Annotated[
        str | None,
        Meta(description="A folder in `storage.backup_folder`; it itself if missing."),
    ] = None


_RETENTION_EXAMPLE = {
    "policy": {
        "max_age_days": 7,
        "max_bytes": 0,
        "rules": [{"query": "level:fatal OR source:payments", "max_age_days": 30}],
    },
    "origin": "api",
    "waits": "",
}


@get(
    "/api/v1/storage",
    opt=Operation(
        id="storage",
        tag="Operate",
        summary="The partitions, one a day",
        description="Rows, bytes and span of each, the newest first, and totals. A "
        "partition that does not open says why in `broken`.",
        query=NoParameters,
        answer=StorageState,
        problems=(QueryTimeout, NotReady, StorageError),
    ).as_opt(),
)
async def show_storage(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    query_of(request, NoParameters)
    left_out_of(request.scope).stuck_entries = await context.engine.settle()
    engine = context.engine
    return json_answer(msgspec.json.encode(await engine.keeper.run(engine.describe)))


@delete(
    "/api/v1/logs",
    status_code=200,
    opt=Operation(
        id="deleteEntries",
        tag="Operate",
        summary="Delete entries",
        description="Those that a filter finds, for good; what was acked before the "
        "call is included. No query that begins after the answer sees them. Without "
        "an answer, some days may be done: ask again.",
        query=DeleteParameters,
        answer=DeleteAnswer,
        example={
            "status": "ok",
            "dry_run": False,
            "entries": 3,
            "days": 1,
            "by_source": {"auth": 2, "web": 1},
        },
        problems=(
            *(BadRequest, QuerySyntaxError, QueryTimeout),
            *(NotReady, DiskFull, StorageError, UnreadableDays),
        ),
    ).as_opt(),
)
async def delete_entries(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    asked = query_of(request, DeleteParameters)
    text = asked.filter
    if asked.all == bool(text.strip()):
        raise BadRequest("Give a 'filter', or 'all=true' to delete without one.")
    keeper = context.engine.keeper
    selection = select(context.engine, span_of(asked.from_, asked.to), text=text)
    left_out_of(request.scope).stuck_entries = await context.engine.settle()
    work = keeper.preview if asked.dry_run else keeper.delete
    found = await keeper.run(partial(work, selection))
    answer = DeleteAnswer(
        dry_run=asked.dry_run,
        entries=found.entries,
        days=found.days,
        by_source=dict(found.by_source),
    )
    return json_answer(msgspec.json.encode(answer))


@get(
    "/api/v1/retention",
    opt=Operation(
        id="retention",
        tag="Operate",
        summary="How long entries are kept",
        description="`origin` is where the policy is from: `config`, or `api` once it "
        "was set here. `waits` says why nothing goes by its age just now.",
        query=NoParameters,
        answer=RetentionState,
        example=_RETENTION_EXAMPLE,
    ).as_opt(),
)
async def show_retention(request: AnyRequest) -> Response[bytes]:
    query_of(request, NoParameters)
    state = context_of(request).engine.keeper.retention()
    return json_answer(msgspec.json.encode(state))


@put(
    "/api/v1/retention",
    opt=Operation(
        id="setRetention",
        tag="Operate",
        summary="Set how long entries are kept",
        description="In place of the config's policy, from now on and after a restart. "
        "What is too old goes within a minute.",
        query=NoParameters,
        body=RequestBody(
            kind=RetentionBody,
            examples={
                "application/json": {
                    "max_age_days": 7,
                    "rules": [{"query": "level:fatal", "max_age_days": 30}],
                }
            },
        ),
        answer=RetentionState,
        example=_RETENTION_EXAMPLE,
        problems=(BadRequest, QuerySyntaxError, DiskFull, StorageError),
    ).as_opt(),
)
async def set_retention(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    query_of(request, NoParameters)
    asked = await body_of(request, context.bodies, RetentionBody)
    policy = msgspec.convert(msgspec.to_builtins(asked), RetentionConfig)
    keeper = context.engine.keeper
    state = await keeper.run(partial(keeper.set_retention, policy))
    return json_answer(msgspec.json.encode(state))


@delete(
    "/api/v1/retention",
    status_code=200,
    opt=Operation(
        id="resetRetention",
        tag="Operate",
        summary="Go back to the config's retention",
        query=NoParameters,
        answer=RetentionState,
        problems=(DiskFull, StorageError),
    ).as_opt(),
)
async def reset_retention(request: AnyRequest) -> Response[bytes]:
    query_of(request, NoParameters)
    keeper = context_of(request).engine.keeper
    state = await keeper.run(partial(keeper.set_retention, None))
    return json_answer(msgspec.json.encode(state))


@post(
    "/api/v1/backup",
    status_code=200,
    opt=Operation(
        id="backup",
        tag="Operate",
        summary="Make a backup",
        description="Into a folder that the config allows (`storage.backup_folder`), "
        "while all goes on. Days that have not changed are not copied again.",
        query=NoParameters,
        body=RequestBody(
            kind=BackupBody,
            examples={"application/json": {"to": "nightly"}},
            required=False,
        ),
        answer=BackupDone,
        example={
            "folder": "/var/backups/logstream/nightly",
            "files": 34,
            "bytes": 2500000,
            "copied": 3,
            "skipped": [],
        },
        problems=(BadRequest, NotReady, DiskFull, StorageError),
    ).as_opt(),
)
async def make_backup(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    query_of(request, NoParameters)
    asked = await body_of(request, context.bodies, BackupBody, empty=b"{}")
    folder = folder_in(context.settings.storage.backup_folder, asked.to)
    await context.engine.settle()
    keeper = context.engine.keeper
    done = await keeper.run(partial(keeper.backup, folder))
    return json_answer(msgspec.json.encode(done))


@post(
    "/api/v1/verify",
    status_code=200,
    opt=Operation(
        id="verify",
        tag="Operate",
        summary="Check all that is stored",
        description="Reads every partition, index and the journal to the last byte, "
        "while all goes on. What is wrong is in `problems`.",
        query=NoParameters,
        answer=Report,
    ).as_opt(),
)
async def verify(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    query_of(request, NoParameters)
    keeper = context.engine.keeper
    return json_answer(msgspec.json.encode(await keeper.run(keeper.verify)))
