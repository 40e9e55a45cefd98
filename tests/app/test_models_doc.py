"""The code in `docs/concepts/models.md` and in README's section on models runs as it stands there."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.texts import EN
from models.learner import Learner, families
from models.panel import Panel
from models.training import train

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = families()


def blocks(file: str, section: str) -> list[str]:
    """Python blocks of a file after some words."""
    text = (ROOT / file).read_text(encoding="utf-8")
    assert section in text
    return re.findall(r"```python\n(.*?)```", text.split(section, 1)[1], re.DOTALL)


@pytest.fixture
def registry(monkeypatch):
    """A copy that may be added to."""
    monkeypatch.setattr(Learner, "registry", dict(Learner.registry))
    return Learner.registry


@pytest.fixture(scope="module")
def zone_state():
    """Two zones, twelve days of hourly speeds: a daily wave, and a mood that lasts for hours."""
    rng = np.random.default_rng(5)
    times = pd.date_range("2025-03-02 22:00", periods=24 * 12, freq="1h", tz="UTC").as_unit("us")
    parts = []
    for zone in ("Z01", "Z02"):
        mood = np.zeros(len(times))
        for k in range(1, len(times)):
            mood[k] = 0.8 * mood[k - 1] + rng.normal(0, 0.4)
        speed = 10 + 2 * np.cos(2 * np.pi * np.arange(len(times)) / 24) + mood
        parts.append(pd.DataFrame({"zone_id": zone, "time": times, "speed_mps": speed}))
    return pd.concat(parts, ignore_index=True)


def test_the_family_of_ones_own_trains_competes_and_learns_what_lasts(registry, zone_state, capsys):
    """The mood keeps 0.8 of itself an hour: what the forecast starts from and what the family adds lie near it."""
    panel = Panel.from_table(zone_state, timezone="Europe/Helsinki")
    code = blocks("docs/concepts/models.md", "## A family of your own")
    assert len(code) == 2
    space = {"train": train, "panel": panel, "train_end": panel.times[-1], "__name__": "doc"}
    for block in code:
        exec(compile(block, "docs/concepts/models.md", "exec"), space)
    damped = space["training"].candidates["damped", "speed_mps"]
    share = damped.share[:, 0] + damped.learner.share[:, 0]
    assert share.min() > 0.55 and share.max() < 0.95
    again = type(damped).load(damped.save())
    origins = panel.times[-3:]
    assert np.array_equal(again.forecast(panel, origins=origins), damped.forecast(panel, origins=origins))
    assert set(space["training"].choices["family"]) <= {"damped", "ridge", "historical_average"}


def test_readmes_section_on_models_runs(zone_state, capsys):
    """An hour ahead, one origin, one zone: seven quantiles, not falling; contributions add up to the median."""
    panel = Panel.from_table(zone_state, timezone="Europe/Helsinki")
    space = {"train": train, "panel": panel, "pd": pd}
    exec(compile(blocks("README.md", "**Models.**")[0], "README.md", "exec"), space)
    quantiles = space["quantiles"]
    assert quantiles.shape == (1, 1, 1, 7) and (np.diff(quantiles[0, 0, 0]) >= 0).all()
    table = space["model"].explain(panel, origin=space["now"], zone_id="Z01", step=1)
    assert table["contribution"].sum() == pytest.approx(quantiles[0, 0, 0, 3], abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_in_the_doc_and_has_a_plain_name_and_a_sentence(family):
    assert f"model.{family}" in EN and f"about.{family}" in EN
    assert f"`{family}`" in (ROOT / "docs" / "concepts" / "models.md").read_text(encoding="utf-8")
