"""La Serena-Coquimbo out of aequilibrae's package: streets, zones with people, and what is said without the package."""

from __future__ import annotations

import zipfile

import pytest

from data.cities import load_city
from data.errors import CityError, FileFormatError
from data.readers import coquimbo
from data.schemas import LINKS, validate


def _installed():
    try:
        return coquimbo.find_coquimbo()
    except CityError:
        return None


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def city(cache):
    if _installed() is None:
        pytest.skip("aequilibrae, which ships the map, is not installed (extra bench)")
    return load_city("coquimbo", cache_dir=cache)


def test_the_conurbation_is_read_whole(city):
    """19,983 rows are streets between crossings, 137 of them no streets; most count twice, for either direction."""
    validate(city.links, LINKS)
    assert 18_000 < len(city.links) < 26_000
    assert city.timezone == "America/Santiago"
    assert city.crs == "EPSG:32719"
    assert city.label == "La Serena-Coquimbo"
    assert city.report["dropped_ways"] == {"no street": 137}
    assert "Avenida Francisco de Aguirre" in set(city.links["name"])


def test_its_zones_hold_the_people_that_the_package_tells(city):
    zones = city.given_zones
    assert len(zones) == 133
    assert zones["population"].sum() == pytest.approx(451_899, abs=1)
    assert zones.crs == city.links.crs
    assert zones.geometry.is_valid.all()


def test_the_cache_keeps_the_zones(city, cache):
    again = load_city("coquimbo", cache_dir=cache)
    assert again.report["cached"]
    assert again.given_zones is not None
    assert again.given_zones.equals(city.given_zones)


def test_without_the_package_the_cure_is_told(monkeypatch):
    monkeypatch.setattr(coquimbo, "find_spec", lambda name: None)
    with pytest.raises(CityError, match=r"pip install aequilibrae"):
        load_city("coquimbo")


@pytest.mark.parametrize("content", [b"", b"no zip at all", None])
def test_a_damaged_package_is_told(tmp_path, content):
    path = tmp_path / "coquimbo.zip"
    if content is None:
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("project_database.sqlite", b"SQLite format 3\x00 and then nothing")
    else:
        path.write_bytes(content)
    with pytest.raises(FileFormatError, match="install"):
        coquimbo.read_coquimbo(path)
