from pathlib import Path

import pytest

from tests.fault.failing_disk import build_library


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands between the server and the C library."""
    library = build_library(tmp_path_factory.mktemp("shim"))
    if library is None:
        pytest.skip("there is no C compiler")
    return library
