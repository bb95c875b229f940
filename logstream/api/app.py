"""The app: every route, and no more between a request and its handler than needed.

There is no middleware. Litestar's own limits on bodies, its logging set-up and its
OpenAPI pages (which load scripts from elsewhere) are off: `bodies`, `problems`,
`openapi` and `docs_page` are in their places.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import ImproperlyConfiguredException, LitestarException

from logstream.api import (
    analysis,
    dead_letters,
    docs_page,
    field_routes,
    ingest,
    operate,
    saved,
    search,
    sql,
    storage,
)
from logstream.api.bodies import Bodies
from logstream.api.context import ApiContext
from logstream.api.key_turns import KeyTurns
from logstream.api.left_out import tell_left_out
from logstream.api.openapi import document_of
from logstream.api.problems import on_exception
from logstream.api.reading import ReadGate
from logstream.config.settings import Settings
from logstream.core.errors import PluginError
from logstream.pipeline.engine import Engine

App: TypeAlias = Litestar
"""What `build_app` makes, for those who may not import litestar."""

ROUTES = (
    *(ingest.add_entry, ingest.add_batch),
    *(search.list_entries, search.query, search.get_entry, search.list_sources),
    *(analysis.analyze, analysis.stats, sql.sql, sql.list_tables),
    *(field_routes.list_fields, field_routes.list_values),
    *(saved.list_saved, saved.get_saved, saved.add_saved, saved.remove_saved),
    *(operate.health, operate.liveness, operate.readiness, operate.metrics),
    *(operate.queue, operate.list_plugins, operate.positions, operate.root),
    *(dead_letters.list_dead_letters, dead_letters.replay_dead_letters),
    *(storage.show_storage, storage.delete_entries, storage.show_retention),
    *(storage.set_retention, storage.reset_retention),
    *(storage.make_backup, storage.verify),
    *(docs_page.schema, docs_page.page, docs_page.asset),
)


def build_app(
    engine: Engine,
    *,
    settings: Settings,
    plugin_routes: Sequence[Any] = (),
    plugins_described: Callable[[], Sequence[Any]] = tuple,
    version: str,
) -> App:
    """The app of one server.

    Args:
        plugin_routes: Litestar handlers or routers, served beside ours.
        plugins_described: What `/api/v1/plugins` answers; anything that msgspec
            encodes.

    Raises:
        PluginError: a plugin's route is taken, or cannot be served.
    """
    context = ApiContext(
        engine=engine,
        settings=settings,
        version=version,
        plugins_described=plugins_described,
        bodies=Bodies(timeout_s=settings.server.body_timeout_s),
        reads=ReadGate(engine, settings.query),
        keys=KeyTurns(wait_s=settings.server.body_timeout_s),
    )

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            context.reads.close()

    try:
        app = Litestar(
            [*ROUTES, *plugin_routes],
            state=State(context.as_state()),
            exception_handlers={Exception: on_exception},
            before_send=[tell_left_out],
            lifespan=[lifespan],
            request_max_body_size=None,
            logging_config=None,
            openapi_config=None,
        )
        document = document_of(app.routes, plugin_routes, version=version)
    except ImproperlyConfiguredException as error:
        raise PluginError(
            f"A plugin's route cannot be served: {error.detail}"
        ) from None
    except LitestarException as error:
        raise PluginError(f"A plugin's route cannot be served: {error}") from None
    docs_page.publish(app, document)
    return app
