"""Noise of a run: days from seven to seven, by hand, and the same whether a run is cut or not."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from simulation.errors import RunError
from simulation.link_state import N_CLASSES, N_SPEED_BINS, LinkInterval
from simulation.soundscape import Soundscape

QUIET = {"seed": 3, "incidents_per_day": 0.0}
START = pd.Timestamp("2026-01-26 05:00", tz="UTC")  # 07:00 in Helsinki


@pytest.fixture
def scape(town):
    """A soundscape from 07:00 on whose receptors all hear what `heard` says."""
    sound = Soundscape(town, START)
    n = sound._energy.shape[1]
    heard = {"level": 60.0}
    sound._model = SimpleNamespace(levels=lambda *_: np.full(n, heard["level"]))
    return sound, heard


def interval(number, n_links, step_s=3600.0):
    none = np.zeros((n_links, N_CLASSES))
    return LinkInterval(
        start_s=number * step_s, step_s=step_s, vehicle_distance_m=none, vehicle_time_s=none, inflow_veh=none,
        outflow_veh=none, queue_veh=none, speed_distance_m=np.zeros((n_links, N_CLASSES, N_SPEED_BINS)),
    )  # fmt: skip


def listen(sound, heard, town, levels, first=0):
    for number, level in enumerate(levels, start=first):
        heard["level"] = level
        sound.book(interval(number, len(town.links)), 10.0)


def test_a_day_lasts_from_seven_to_seven(scape, town):
    """24 h at 60 dB: Lden = 60 + 10 lg((12 + 4 10^0.5 + 8 10) / 24) = 66.395 dB; the day after, at 50, ten less.

    One hour of the third day has no night, so no Lden.
    """
    listen(*scape, town, [60.0] * 24 + [50.0] * 24 + [40.0])
    table = scape[0].table()
    assert table["date"].unique().tolist() == ["2026-01-26", "2026-01-27", "2026-01-28"]
    first = table[table["zone_id"] == table["zone_id"].iloc[0]]
    np.testing.assert_allclose(first["lden_db"], [66.395, 56.395, np.nan], atol=5e-4)
    np.testing.assert_allclose(first["lnight_db"], [60.0, 50.0, np.nan])
    lived_in = table["people"] > 0
    assert (table.loc[lived_in & (table["date"] == "2026-01-26"), "share_lden_65"] == 1.0).all()
    assert table.loc[~lived_in, "lden_db"].isna().all()


def test_periods_are_energy_means_of_their_hours(scape, town):
    """Day of 6 h at 70 and 6 h at 60: 10 lg((10^7 + 10^6) / 2) = 67.404; evening 55, night 45 dB.

    Lden = 10 lg((12 10^6.7404 + 4 10^6.0 + 8 10^5.5) / 24) = 64.803.
    """
    listen(*scape, town, [70.0] * 6 + [60.0] * 6 + [55.0] * 4 + [45.0] * 8)
    row = scape[0].table().iloc[0]
    by_hand = 10 * np.log10((12 * (1e7 + 1e6) / 2 + 4 * 10**6.0 + 8 * 10**5.5) / 24)
    assert by_hand == pytest.approx(64.803, abs=5e-4)
    assert row["lden_db"] == pytest.approx(by_hand)
    assert row["lnight_db"] == pytest.approx(45.0)


def test_a_table_asked_for_twice_is_the_same(scape, town):
    listen(*scape, town, [60.0] * 30)
    pd.testing.assert_frame_equal(scape[0].table(), scape[0].table())


def test_a_silent_beginning_tells_nothing(town):
    assert len(Soundscape(town, START).table()) == 0


def test_a_state_goes_on_where_it_ended_and_tells_the_whole_day(scape, town):
    """Cut at any hour, also at seven itself: the later rows of both parts are those of one run."""
    levels = np.random.default_rng(8).uniform(40, 70, 50)
    listen(*scape, town, levels)
    whole = scape[0].table()
    for cut in (5, 12, 24, 31):
        parts = []
        state = None
        for first, last in ((0, cut), (cut, 50)):
            part = Soundscape(town, START)
            part._model = scape[0]._model
            if state is not None:
                part.restore(state)
            listen(part, scape[1], town, levels[first:last], first)
            state = part.state()
            parts.append(part.table())
        assert (parts[1]["date"] >= parts[0]["date"].iloc[-1]).all()
        both = pd.concat(parts).drop_duplicates(["zone_id", "date"], keep="last", ignore_index=True)
        pd.testing.assert_frame_equal(both, whole, check_exact=True)


def test_a_run_cut_at_a_quarter_past_noon_sounds_like_one_run(town):
    """Bit for bit, with the final state; of two rows of a day the second run's holds, since it heard more of it."""
    whole = town.run(days=1.5, **QUIET)
    first = town.run(days=49 / 96, **QUIET)
    second = town.run(days=1.5 - 49 / 96, initial_state=first.final_state, **QUIET)
    assert first.noise["date"].unique().tolist() == ["2026-01-25", "2026-01-26"]
    assert second.noise["date"].unique().tolist() == ["2026-01-26", "2026-01-27"]
    both = pd.concat([first.noise, second.noise]).drop_duplicates(["zone_id", "date"], keep="last", ignore_index=True)
    pd.testing.assert_frame_equal(both, whole.noise, check_exact=True)
    told = whole.noise[(whole.noise["date"] == "2026-01-26") & (whole.noise["people"] > 0)]
    assert len(told) and told["lden_db"].notna().all()
    for name, array in whole.final_state.items():
        assert array.tobytes() == second.final_state[name].tobytes(), name


def test_a_state_of_another_city_is_refused(scape):
    state = scape[0].state()
    with pytest.raises(RunError, match="facades"):
        scape[0].restore(state | {"energy": state["energy"][:, :-1]})


def test_the_level_of_a_zone_is_the_mean_over_its_facades(town):
    """Receptors hear 50, 51, 52 ...: each zone the arithmetic mean of its own, nan in a zone without a street."""
    sound = Soundscape(town, START)
    n = sound._energy.shape[1]
    sound._model = SimpleNamespace(levels=lambda *_: 50.0 + np.arange(n))
    heard = sound.book(interval(0, len(town.links)), 10.0)
    zone = town.receptors.loc[town.receptors["kind"] == "facade", "zone_id"]
    by_zone = pd.Series(50.0 + np.arange(n), index=zone.to_numpy()).groupby(level=0).mean()
    np.testing.assert_allclose(heard, by_zone.reindex(town.zones["zone_id"]))
