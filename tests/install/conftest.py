"""What the install tests share: the wheels, made once a session, and where to keep what is slow to get."""

import os
from pathlib import Path

import pytest
from tests.install import wheels


@pytest.fixture(scope="session")
def cache() -> Path:
    """A folder outside the tree that survives."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "qfleet"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The members' wheels, built from the tree."""
    return wheels.build(tmp_path_factory.mktemp("wheels"))
