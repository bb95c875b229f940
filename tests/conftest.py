"""Rules for the whole run: hypothesis profiles, environment, no silent skips."""

import os
import socket
from collections.abc import Generator, Iterator
from typing import Any

import hypothesis
import pytest

hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile(
    "ci", deadline=None, derandomize=True, print_blob=True
)
hypothesis.settings.register_profile("nightly", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev")
)

_TEST_ALL = "LOGSTREAM_TEST_ALL"
"""With it, a skipped test has failed: set where everything that tests need is there."""

_runs_all = False


def pytest_configure(config: pytest.Config) -> None:
    """Take every LOGSTREAM_ variable away: a developer's own are not to be tested."""
    global _runs_all  # noqa: PLW0603 - hooks have no other place
    found = {name for name in os.environ if name.startswith("LOGSTREAM_")}
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    _runs_all = _TEST_ALL in found or bool(worker.get(_TEST_ALL))
    for name in found:
        del os.environ[name]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell the workers of pytest-xdist, which start with the cleaned environment."""
    node.workerinput[_TEST_ALL] = _runs_all


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    report = yield
    if _runs_all and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and {_TEST_ALL} is set: {report.longrepr}"
    return report


@pytest.fixture
def port() -> Iterator[int]:
    """One that a server can have, again and again, and nobody else gets meanwhile, not
    even as the near end of a connection.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))  # it does not listen: connections are refused
        yield held.getsockname()[1]
