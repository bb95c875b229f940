"""Dead letters: acked entries that could not be processed, listed and replayed."""

from functools import partial
from typing import Annotated

import msgspec
from litestar import Response, get, post
from msgspec import Meta

from logstream.api.bodies import AnyRequest
from logstream.api.context import context_of, json_answer
from logstream.api.operations import Operation, RequestBody
from logstream.api.parameters import Fields, NoParameters, body_of, query_of
from logstream.api.selection import limit_of
from logstream.api.shapes import Replayed
from logstream.core.errors import BadRequest, NotReady
from logstream.storage.dead_letters import DeadLetterStore

_REPLAY_ROWS = 1000
"""Dead letters that are put in again as one batch."""


class DeadLettersParameters(Fields, frozen=True, kw_only=True):
    limit: Annotated[
        int | None, Meta(description="Dead letters at most; 100 if not given.")
    ] = None
    before_id: Annotated[
        int | None,
        Meta(description="Only older ones; the `Link` header has the right one."),
    ] = None


class ReplayBody(Fields, frozen=True, kw_only=True):
    ids: Annotated[list[str | int] | None, Meta(description="Ids of dead letters.")] = (
        None
    )
    all: Annotated[bool, Meta(description="All of them, instead of `ids`.")] = False


class DeadLetterOut(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    failed_at: str
    processor: str
    reason: str
    detail: str
    entry: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    count: Annotated[int, Meta(description="All there are, not only these.")]
    dead_letters: list[DeadLetterOut]


@get(
    "/api/v1/dead-letters",
    opt=Operation(
        id="listDeadLetters",
        tag="Operate",
        summary="Entries that could not be processed",
        description="Acked entries that a processor or the load failed on, with the "
        "reason; the newest first.",
        query=DeadLettersParameters,
        answer=DeadLetters,
        example={
            "count": 1,
            "dead_letters": [
                {
                    "id": "4398046511104",
                    "failed_at": "2025-05-13T00:01:16Z",
                    "processor": "redact",
                    "reason": "processor_error",
                    "detail": "ValueError: no digits",
                    "entry": {
                        "timestamp": "2025-05-13T00:01:15Z",
                        "source": "auth",
                        "level": "warn",
                        "message": "Failed login attempt",
                    },
                }
            ],
        },
        linked=True,
        problems=(BadRequest,),
    ).as_opt(),
)
async def list_dead_letters(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    asked = query_of(request, DeadLettersParameters)
    limit = limit_of(asked.limit, default=100, largest=context.settings.query.max_limit)
    if asked.before_id is not None and not 0 <= asked.before_id < 2**63:
        raise BadRequest("'before_id' is no id of a dead letter.")
    store = context.engine.dead_letters

    def read() -> tuple[bytes, int | None]:
        found = store.list(limit=limit + 1, before_id=asked.before_id)
        listed = [
            DeadLetterOut(
                id=str(letter.id),
                failed_at=letter.failed_at,
                processor=letter.processor,
                reason=letter.reason,
                detail=letter.detail,
                entry=letter.entry,
            )
            for letter in found[:limit]
        ]
        answer = DeadLetters(count=store.count(), dead_letters=listed)
        last = found[limit - 1].id if len(found) > limit else None
        return msgspec.json.encode(answer), last

    body, last = await context.reads.run(read, request=request)
    if last is None:
        return json_answer(body)
    target = f"/api/v1/dead-letters?limit={limit}&before_id={last}"
    return json_answer(body, {"Link": f'<{target}>; rel="next"'})


@post(
    "/api/v1/dead-letters/replay",
    status_code=200,
    opt=Operation(
        id="replayDeadLetters",
        tag="Operate",
        summary="Put dead letters in again",
        description="They go through the processors once more, and are dead letters "
        "no longer unless they fail again.",
        query=NoParameters,
        body=RequestBody(
            kind=ReplayBody,
            examples={"application/json": {"ids": ["4398046511104"]}},
        ),
        answer=Replayed,
        example={"status": "ok", "count": "1"},
        problems=(BadRequest, NotReady),
    ).as_opt(),
)
async def replay_dead_letters(request: AnyRequest) -> Response[bytes]:
    context = context_of(request)
    query_of(request, NoParameters)
    asked = await body_of(request, context.bodies, ReplayBody)
    if asked.all == (asked.ids is not None):
        raise BadRequest('Say which: {"ids": ["…"]} or {"all": true}.')
    if asked.ids is None:
        ids = await context.reads.run(
            partial(_all_ids, context.engine.dead_letters), request=request
        )
    else:
        ids = [_id(text) for text in asked.ids]
    # All ids are known before the first is replayed: one that fails again is a new
    # dead letter, and must not be replayed for ever.
    count = 0
    for at in range(0, len(ids), _REPLAY_ROWS):
        count += await context.engine.replay_dead_letters(ids[at : at + _REPLAY_ROWS])
    return json_answer(msgspec.json.encode(Replayed(count=str(count))))


def _all_ids(store: DeadLetterStore) -> list[int]:
    """The oldest first."""
    found: list[int] = []
    while page := store.list(
        limit=_REPLAY_ROWS, before_id=found[-1] if found else None
    ):
        found += [letter.id for letter in page]
    return found[::-1]


def _id(text: str | int) -> int:
    try:
        found = int(text)
    except ValueError:
        found = -1
    if not 0 <= found < 2**63:
        raise BadRequest(f"{str(text)[:40]!r} is no id of a dead letter.")
    return found
