"""What the language tests share. What lives here: the shipped scorer, loaded once."""

import os
from pathlib import Path

import pytest

from sentinel.language import Scorer, load_scorer

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    return load_scorer(("it", "en"))


@pytest.fixture(scope="session")
def sentiment_dev() -> Path:
    shared = Path(os.environ.get("SENTINEL_SHARED", REPOSITORY.parent / "shared"))
    folder = shared / "data" / "sentiment_dev"
    if not folder.is_dir():
        pytest.skip("the development posts are not on this machine (set SENTINEL_SHARED)")
    return folder
