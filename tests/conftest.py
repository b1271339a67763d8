"""What the tests of several rooms share."""

import os
import shutil
from pathlib import Path

import pytest

REQUIRED = os.environ.get("SHORTLIST_REQUIRE_ALL") == "1"


def absent(why: str) -> None:
    """Skips a test whose real component is absent on this machine; where all are required, that is a failure."""
    if REQUIRED:
        pytest.fail(f"SHORTLIST_REQUIRE_ALL=1, but {why}")
    pytest.skip(why)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data, from SHORTLIST_DATA."""
    folder = Path(os.environ.get("SHORTLIST_DATA", "../shared/data"))
    if not folder.is_dir():
        absent(f"there is no real data at {str(folder)!r}: set SHORTLIST_DATA")
    return folder


@pytest.fixture(scope="session")
def peers() -> Path:
    """The Python in which the libraries are installed that Shortlist is held to."""
    python = Path(__file__).parent.parent / ".peers/bin/python"
    if not python.exists():
        absent("the libraries that Shortlist is held to are not there: run python benchmarks/_peers.py")
    return python


@pytest.fixture(scope="session")
def chromium() -> str:
    """The command of Chromium, in which pages are looked at."""
    found = shutil.which("chromium")
    if found is None:
        absent("there is no command 'chromium': install it (Debian: apt-get install chromium)")
    return str(found)
