"""Names that packages bring: found late, never in the way of ours, and at fault under their own name."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from data import plugins
from models.errors import SettingsError
from models.learner import Learner, families, import_families, learner_class
from simulation.scenarios import ScenarioError, scenario_from_yaml
from simulation.scenarios.entry_kinds import kinds, own_entries
from zones.errors import ZoneError
from zones.own import partition_named


@pytest.fixture
def bring(tmp_path, monkeypatch):
    """Install a package of one module, as pip leaves it, on a path of this test's own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.found.cache_clear()
    plugins._note.cache_clear()
    import_families()  # what is registered once must not be forgotten
    before = dict(Learner.registry)

    def install(package: str, group: str, name: str, code: str) -> None:
        module = package.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:thing\n")
        plugins.found.cache_clear()

    yield install
    plugins.found.cache_clear()
    Learner.registry.clear()
    Learner.registry.update(before)


def test_a_package_that_cannot_be_imported_is_named_and_stops_nothing_else(bring, caplog):
    """Asked for by name it is an error with package and cause; the list goes on without it and logs it once."""
    bring("sick-one", plugins.FAMILIES, "sick", "import no_such_module_anywhere")
    with pytest.raises(plugins.PluginError, match=r"family 'sick' of package sick-one 1\.2.*no_such_module_anywhere"):
        learner_class("sick")
    with caplog.at_level(logging.WARNING):
        assert "ridge" in families() and "sick" not in families()
    assert sum("sick-one" in record.message for record in caplog.records) == 1
    assert learner_class("ridge").family == "ridge"


def test_two_packages_of_one_name_are_both_named(bring):
    """Neither is taken."""
    bring("first-one", plugins.MEASURES, "tree_planting", "thing = None")
    bring("other-one", plugins.MEASURES, "tree_planting", "thing = None")
    with pytest.raises(plugins.PluginError, match=r"2 packages: first-one 1\.2 .* and other-one 1\.2"):
        plugins.find(plugins.MEASURES, "tree_planting")
    with pytest.raises(ScenarioError, match=r"line 2: measure 'tree_planting' is brought by 2 packages"):
        scenario_from_yaml("name: a\nmeasures: [{measure: tree_planting}]")


def test_nobody_takes_a_name_of_ours(bring, caplog):
    """A package's `lanes` and `hex` are left out; ours go on."""
    bring("greedy", plugins.MEASURES, "lanes", "thing = None")
    with caplog.at_level(logging.WARNING):
        assert own_entries() == {}
    assert "greedy 1.2" in caplog.text and "Zonewise" in caplog.text
    assert kinds().count("lanes") == 1


def test_a_family_class_with_a_name_of_ours_is_refused_when_it_is_made():
    """Even before ours were imported: they are, first. The same place again is a cell that was run twice."""
    with pytest.raises(SettingsError, match=r"'ridge' of .*Taken has the name of models\.families\.ridge\.Ridge"):
        type("Taken", (Learner,), {"family": "ridge", "__module__": "somewhere", "__qualname__": "Taken"})
    try:
        for _ in range(2):
            again = type("Own", (Learner,), {"family": "own_test", "__module__": "somewhere", "__qualname__": "Own"})
        assert learner_class("own_test") is again
    finally:
        Learner.registry.pop("own_test", None)


@pytest.mark.parametrize(
    ("group", "use", "says"),
    [
        (plugins.FAMILIES, learner_class, "no subclass of models.learner.Learner"),
        (plugins.MEASURES, lambda name: own_entries() or plugins.find(plugins.MEASURES, name), None),
        (plugins.PARTITIONS, partition_named, "cannot be called"),
    ],
)
def test_a_thing_that_is_not_what_its_group_needs_is_refused(bring, group, use, says):
    """The number 7 is neither family nor partition; among measures it is left out of the list."""
    bring("odd-thing", group, "odd", "thing = 7")
    if says is None:
        assert use("odd") is not None and own_entries() == {}
        return
    with pytest.raises(plugins.PluginError, match=rf"'odd' of package odd-thing 1\.2: .*{says}"):
        use("odd")


def test_an_unknown_partition_names_those_of_packages_too(bring):
    """So that one sees what there is."""
    bring("cutter", plugins.PARTITIONS, "petals", "thing = 7")
    with pytest.raises(ZoneError, match=r"kind='leaves'; allowed: hex, .*petals"):
        partition_named("leaves")


def test_starting_looks_nothing_up():
    """Importing all rooms and the command line asks no package."""
    code = (
        "import models, zones, simulation.scenarios, data.readers.detector_files, app.cli, data.plugins as p\n"
        "from models.learner import learner_class; learner_class('ridge')\n"
        "print(p.found.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
