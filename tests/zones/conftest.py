"""A grid of streets, and central Helsinki, cut into zones."""

from __future__ import annotations

import pytest

from data.cities import load_city


@pytest.fixture(scope="session")
def toy():
    return load_city("toy")


@pytest.fixture(scope="session")
def helsinki(tmp_path_factory):
    return load_city("helsinki", cache_dir=tmp_path_factory.mktemp("cache"))
