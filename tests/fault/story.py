"""A data folder that lives through many servers, most of which come to a bad end.

After each start every acked entry is there exactly once, a batch without an answer as a
whole or not at all, and a reader's position is that of its newest stored batch.
"""

import json
import math
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.fault.load import POSITION, Ledger, Load
from tests.fault.server_process import WAIT_S, ServerProcess

PLUGINS = Path(__file__).parent / "plugin_folder"
SEED = int(os.environ.get("FAULT_SEED", "0")) or random.SystemRandom().randrange(2**32)
"""Set FAULT_SEED to the one that a failure names, to have the same load again."""


class Story:
    """One data folder, and all that was sent to it.

    Args:
        poison: Entries on which a processor fails are among them.
        environment: Of the servers.
        config: Sections of theirs, beside what the story needs.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        *,
        poison: bool = False,
        environment: Mapping[str, str] | None = None,
        config: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.folder = folder
        self.environment = dict(environment or {})
        self.config = dict(config or {})
        self.seed = seed
        self.poison = poison
        self.ledger = Ledger()
        self.kills = 0
        self.armed = folder / "armed"

    def serve(self, point: str = "") -> ServerProcess:
        """A server that has replayed its journal and stands the check."""
        self.armed.unlink(missing_ok=True)
        faults = {"FAULT_POINT": point, "FAULT_ARMED": str(self.armed)}
        server = ServerProcess(
            self.folder,
            config=self._config(),
            environment={**faults, **self.environment},
        )
        try:
            self.check(server.wait_until_serving())
        except BaseException as error:
            server.__exit__(type(error), error, None)
            raise
        return server

    def load(
        self,
        server: ServerProcess,
        *,
        few_after: float = math.inf,
        enough: int = 500,
        faulty: bool = False,
    ) -> Load:
        return Load(
            server,
            self.ledger,
            seed=self.seed * 1000 + self.kills,
            poison=self.poison,
            few_after=few_after,
            enough=enough,
            faulty=faulty,
        )

    def kill_at(self, point: str, *, few_after: float = math.inf) -> None:
        with self.serve(point) as server:
            self.armed.touch()
            with self.load(server, few_after=few_after):
                code = server.wait()
            assert code == -9, f"{point} was not reached"
        self.kills += 1

    def kill_at_rest(self, point: str) -> None:
        """At a point that is reached when nothing is loaded."""
        with self.serve(point) as server:
            with self.load(server) as load:
                assert load.reached.wait(WAIT_S)
            self.armed.touch()
            assert server.wait() == -9, f"{point} was not reached"
        self.kills += 1

    def kill_under_load(self, *, enough: int) -> None:
        with self.serve() as server:
            with self.load(server, enough=enough) as load:
                assert load.reached.wait(WAIT_S)
                server.kill()
            server.wait()
        self.kills += 1

    def end(self) -> None:
        """A last start, a clean stop, and nothing is left over."""
        with self.serve() as server:
            metrics = server.metrics()
            came = sum(
                value
                for name, value in metrics.items()
                if name.startswith("logstream_logs_received_total")
            )
            came += metrics["logstream_journal_replayed_entries_total"]
            assert came == metrics["logstream_logs_processed_total"]
            assert server.get("/api/v1/queue")["entries"] == 0
            # Nothing was damaged, whenever it was killed: nothing was set aside.
            assert server.get("/api/v1/storage")["totals"]["broken"] == 0
            assert server.terminate() == 0
        assert "Stopped: " in server.output()
        left = {path.name for path in (server.data / "journal").iterdir()}
        assert left == {"next"}, left

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "plugins": {"folder": str(PLUGINS)},
            "journal": {"linger_ms": 100, "segment_bytes": 1_000_000},
            # Days that are over are compacted whenever there is a moment.
            "storage": {"min_free_bytes": 0, "compact_after_s": 0.001},
        }
        if self.poison:
            config["processors"] = [{"type": "poison"}]
        for section, keys in self.config.items():
            config[section] = {**config.get(section, {}), **keys}
        return config

    def check(self, server: ServerProcess) -> None:
        rows = server.query("")
        dead = server.get("/api/v1/dead-letters?limit=10000")
        letters = [letter["entry"] for letter in dead["dead_letters"]]
        assert dead["count"] == len(letters) < 10_000
        self.ledger.check([*rows, *letters])
        assert all(row["message"].startswith("good") for row in rows) or not self.poison
        assert all(letter["message"].startswith("poison") for letter in letters)
        assert server.total() == len(rows)
        name = f"/api/v1/positions?name={POSITION}"
        stored = server.get(name)["positions"].get(POSITION)
        self.ledger.check_position(stored, [*rows, *letters])


def told(seed: int, story: Story) -> str:
    """A note for a failure."""
    counts = json.dumps(
        {"kills": story.kills, "acked": story.ledger.acked, "seed": seed}
    )
    return f"Reproduce with FAULT_SEED={seed}: {counts}"
