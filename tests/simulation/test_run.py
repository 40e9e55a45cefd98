"""A run: the same seed is the same life, cut or whole; vehicles are conserved; impossible options are refused."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import simpy

from data.errors import SchemaError
from data.schemas import LINK_STATE, SENSOR_STATE, WEATHER, ZONE_STATE, ZONE_TRUTH, validate
from simulation.clock import Phase
from simulation.errors import RunError
from simulation.processes import incidents_of_day

TABLES = ("zone_state", "zone_truth", "sensor_state", "counts")
QUIET = {"incidents_per_day": 0.0}


def joined(first, second, name):
    return pd.concat([getattr(first, name), getattr(second, name)], ignore_index=True)


def test_a_run_gives_tables_that_keep_their_schemas(day):
    for table, schema in (
        (day.zone_state, ZONE_STATE), (day.zone_truth, ZONE_TRUTH), (day.sensor_state, SENSOR_STATE),
        (day.link_state, LINK_STATE), (day.weather, WEATHER),
    ):  # fmt: skip
        assert len(validate(table, schema)) == len(table) > 0
    assert len(day.zone_truth) == 96 * 4 and len(day.weather) == 24
    assert day.zone_truth["time"].iloc[0] == pd.Timestamp(day.summary["start"])
    assert (day.agents["observed"] == 96).all() and len(day.link_profile) == 96 * 80


def test_the_same_seed_is_the_same_day_bit_for_bit(town, day):
    again = town.run(days=1, seed=1, **QUIET)
    for name in TABLES:
        assert getattr(again, name).equals(getattr(day, name)), name
    assert all(a.tobytes() == again.final_state[name].tobytes() for name, a in day.final_state.items())


def test_another_seed_is_another_day(town, day):
    other = town.run(days=1, seed=2, **QUIET)
    for name in ("speed_mps", "flow_veh_per_h", "nox_g"):
        assert not np.array_equal(other.zone_truth[name], day.zone_truth[name]), name
    assert other.summary["departed"] != day.summary["departed"]


def test_vehicles_are_conserved_in_every_row(day):
    c = day.counts
    assert (c["departed"] == c["arrived"] + c["lost"] + c["on_road"] + c["waiting"]).all()
    assert (c[["departed", "arrived", "lost", "forced"]].diff().dropna() >= 0).all(axis=None)
    assert (
        day.summary["conserved"] and day.summary["lost"] == 0 and day.summary["arrived"] == day.trips["arrived"].sum()
    )


def test_links_zones_and_trips_tell_of_the_same_metres(day, town):
    """Link by link, zone by zone and trip by trip; the last differ by who is still on the way (under 0.1 %)."""
    by_link = day.link_totals["vehicle_distance_m"].sum()
    assert day.zone_truth["vehicle_distance_m"].sum() == pytest.approx(by_link)
    assert day.link_state["vehicle_distance_m"].sum() == pytest.approx(by_link)
    assert day.link_state["vehicle_time_s"].sum() == pytest.approx(day.link_totals["vehicle_time_s"].sum())
    driven = (day.trips["arrived"] * day.trips["mean_distance_m"]).sum()
    assert driven == pytest.approx(by_link, rel=1e-3) and driven <= by_link
    assert day.summary["vehicle_km"] == pytest.approx(by_link / 1000.0)
    out = day.link_totals["outflow_veh"] @ town.links["length_m"]
    assert out == pytest.approx(by_link, rel=1e-3)


def test_a_town_that_empties_has_driven_what_its_trips_drove(town):
    """No one sets out after the first hour (no demand from then on): at the end both books agree to a millimetre."""

    def stop(live):
        yield live.env.timeout(3600.0)
        live.scale_demand(0.0)

    run = town.run(days=0.125, seed=1, start="2025-09-02 07:00", processes=[stop], **QUIET)
    assert run.summary["on_road"] == run.summary["waiting"] == run.summary["forced_moves"] == 0
    assert run.summary["arrived"] == run.summary["departed"] > 1000
    driven = (run.trips["arrived"] * run.trips["mean_distance_m"]).sum()
    assert run.zone_truth["vehicle_distance_m"].sum() == pytest.approx(driven, abs=1e-3)


def test_speeds_never_exceed_free_flow_and_people_are_faster_at_night(day, town):
    truth = day.zone_truth.dropna(subset="speed_mps")
    assert truth["speed_mps"].max() <= town.links["free_flow_speed_mps"].max() + 1e-9
    assert (truth["travel_time_index"] >= 1 - 1e-9).all()
    hour = truth["time"].dt.tz_convert(town.timezone).dt.hour
    assert truth.loc[hour.between(15, 17), "delay_s_per_km"].mean() > truth.loc[hour < 5, "delay_s_per_km"].mean()


@pytest.mark.parametrize("cut", [1.0, 0.5, 17 / 24])
def test_two_runs_joined_are_one_run_bit_for_bit(town, cut):
    """Zones, truth, sensors and counts, and the whole final state; 30 incidents a day make it hard."""
    whole = town.run(days=1.25, seed=4, incidents_per_day=30.0)
    first = town.run(days=cut, seed=4, incidents_per_day=30.0)
    second = town.run(days=1.25 - cut, seed=4, incidents_per_day=30.0, initial_state=first.final_state)
    for name in TABLES:
        assert joined(first, second, name).equals(getattr(whole, name)), name
    assert set(whole.final_state) == set(second.final_state)
    for name, array in whole.final_state.items():
        assert array.tobytes() == second.final_state[name].tobytes(), name
    for name in ("departed", "arrived", "link_traversals", "vehicle_km"):
        assert first.summary[name] + second.summary[name] == pytest.approx(whole.summary[name])
    assert first.trips["arrived"].add(second.trips["arrived"]).equals(whole.trips["arrived"])


def test_a_run_cut_amid_an_incident_goes_on_with_it(town):
    whole = town.run(days=1, seed=4, incidents_per_day=30.0)
    row = (
        whole.incidents.assign(length=whole.incidents["end_s"] - whole.incidents["start_s"])
        .nlargest(1, "length")
        .iloc[0]
    )
    amid = 900.0 * round((row["start_s"] + row["end_s"]) / 1800.0)
    assert row["start_s"] < amid < row["end_s"]
    first = town.run(days=amid / 86_400, seed=4, incidents_per_day=30.0)
    assert first.final_state["live_capacity_share"][int(row["link_id"])] < 1
    second = town.run(days=1 - amid / 86_400, seed=4, incidents_per_day=30.0, initial_state=first.final_state)
    assert joined(first, second, "zone_truth").equals(whole.zone_truth)
    over = town.run(days=1 / 96, seed=4, initial_state=first.final_state, **QUIET)
    assert (over.final_state["live_capacity_share"] == 1).all()


def test_a_closure_that_an_earlier_run_left_does_not_outlive_it(town):
    """Its process is not there to open the street again; the next run begins with the city as it is."""

    def shut(live):
        live.close([33])
        live.set_speed([33], 1.0)
        yield live.env.timeout(0.0)

    first = town.run(days=0.25, seed=1, start="2025-09-02 06:00", processes=[shut], **QUIET)
    second = town.run(days=0.125, seed=1, initial_state=first.final_state, **QUIET)
    assert first.link_totals.loc[33, "outflow_veh"] == 0 < second.link_totals.loc[33, "outflow_veh"]
    assert second.final_state["traffic_state_links"]["free_time"][33] < 30.0
    assert second.summary["conserved"]


@pytest.mark.parametrize("step_s", [300.0, 3600.0])
def test_the_step_of_the_books_is_the_callers(town, day, step_s):
    """Another step books the same vehicles: departures of the day agree, whatever the step."""
    run = town.run(days=1, seed=1, step_s=step_s, **QUIET)
    assert len(run.zone_truth) == 86_400 / step_s * 4
    assert run.summary["departed"] == day.summary["departed"]
    assert run.summary["vehicle_km"] == pytest.approx(day.summary["vehicle_km"], rel=0.02)


def test_progress_is_told_every_hour(town):
    told = []
    town.run(days=0.25, seed=1, start="2025-09-01", progress=lambda *args: told.append(args), **QUIET)
    assert [done for done, _, _ in told][:6] == [0.0, 3600.0, 7200.0, 10_800.0, 14_400.0, 18_000.0]
    assert all(total == 21_600.0 for _, total, _ in told) and told[1][2] == "Mon 01 Sep 01:00"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"days": 0}, "multiple of a step"),
        ({"days": 0.001}, "multiple of a step"),
        ({"step_s": 0.0}, "multiple of a step"),
        ({"step_s": 7000.0}, "must divide a day"),
        ({"start": "2025-09-01 00:07"}, "must lie on a step"),
    ],
)
def test_impossible_options_are_refused(town, options, words):
    with pytest.raises(RunError, match=words):
        town.run(**{"days": 1, "seed": 1, **options})


def test_a_state_belongs_to_its_city_start_and_step(town, day, maker):
    state = day.final_state
    with pytest.raises(RunError, match="cannot both be given"):
        town.run(days=1, initial_state=state, start="2025-09-02")
    with pytest.raises(RunError, match="step_s=900 s, not 300 s"):
        town.run(days=1, initial_state=state, step_s=300.0)
    other = maker(links=town.links.assign(length_m=town.links["length_m"] * 1.1))
    with pytest.raises(RunError, match="resume with the city that made the state"):
        other.run(days=1, initial_state=state)
    fewer = replace(town, demand=replace(town.demand, destinations=replace(
        town.demand.destinations, link=np.full_like(town.demand.destinations.link, 7))))  # fmt: skip
    with pytest.raises(RunError, match="other destinations"):
        fewer.run(days=1, initial_state=state)


def test_a_process_of_the_users_runs_at_its_times_and_sees_the_books_before(town):
    """Every 450 s: at a full quarter hour the interval that ends there is already booked."""
    seen = []

    def watch(live):
        assert live.read() == {}
        while True:
            yield live.env.timeout(450.0)
            seen.append((live.env.now, dict(live.read()), live.engine.now))

    run = town.run(days=0.25, seed=1, start="2025-09-01 06:00", processes=[watch], **QUIET)
    assert [now for now, _, _ in seen][:4] == [450.0, 900.0, 1350.0, 1800.0] and len(seen) == 48
    assert all(now == engine for now, _, engine in seen)
    flow = run.zone_truth["flow_veh_per_h"].to_numpy().reshape(-1, 4)
    assert seen[0][1] == {}
    for k, (_, read, _) in enumerate(seen[1:], start=1):
        assert read["flow_veh_per_h"].tolist() == flow[(k - 1) // 2].tolist()


def test_processes_due_at_one_instant_go_by_phase_not_by_order(town):
    """Started agents first: weather, measures, signals, demand, sensors, agents; a plain timeout is a measure."""
    seen = []

    def at(phase, name):
        def process(live):
            yield live.env.timeout(900.0) if phase is None else live.wait(900.0, phase)
            seen.append(name)

        return process

    phases = [at(phase, phase.name) for phase in reversed(Phase)]
    town.run(days=1 / 48, seed=1, processes=[*phases, at(None, "timeout")], **QUIET)
    assert seen == ["WEATHER", "MEASURES", "timeout", "SIGNALS", "DEMAND", "SENSORS", "AGENTS"]


@pytest.mark.parametrize("error", [SchemaError("nodes", ["one", "two"]), RunError("no"), KeyError("x")], ids=repr)
def test_an_error_of_the_users_process_comes_out_as_it_is(town, error):
    """SimPy raises a copy made of `args`; ours reaches the caller itself."""

    def fail(live):
        yield live.env.timeout(10.0)
        raise error

    with pytest.raises(type(error)) as raised:
        town.run(days=1 / 96, seed=1, processes=[fail])
    assert raised.value is error


def test_a_process_may_catch_what_another_raises(town):
    caught = []

    def fail(live):
        yield live.env.timeout(10.0)
        raise RunError("inner")

    def watch(live):
        try:
            yield live.env.process(fail(live))
        except RunError as error:
            caught.append(str(error))

    town.run(days=1 / 96, seed=1, processes=[watch])
    assert caught == ["inner"]


def test_a_day_of_25_hours_is_lived_by_the_clock_on_the_wall(town):
    """2025-10-26 has 03:00-04:00 twice in Helsinki: the next local midnight is 25 h away."""
    midnights = []

    def watch(live):
        assert isinstance(live.env, simpy.Environment)
        yield live.env.timeout(1.0)
        yield live.env.timeout(live.seconds_until(0.0))
        midnights.append(live.env.now)

    run = town.run(days=1.25, seed=1, start="2025-10-26", processes=[watch], **QUIET)
    assert midnights == [25 * 3600.0] and run.summary["conserved"]


@pytest.mark.parametrize(("date", "hours"), [("2025-10-26", 25), ("2025-03-30", 23), ("2025-03-23", 24)])
def test_people_get_up_by_the_clock_on_the_wall(town, date, hours):
    """All three are Sundays: the quarter hours from 07:00 to midnight have as many departures as the profile says.

    Some 40,000 trips; each quarter hour's share within 25 % and 0.1 points, which an hour's shift would miss by far.
    """
    still = replace(town, demand=replace(town.demand, place_hour_sd=0.0))
    run = still.run(days=hours / 24, seed=1, start=date, **QUIET)
    set_out = run.counts["departed"].diff().fillna(run.counts["departed"]).to_numpy()[-68:]
    kind = np.bincount(still.demand.kind.ravel(), weights=still.demand.od_veh.ravel(), minlength=4)
    share = (kind[:, None] * still.demand.profiles[1]).sum(axis=0)[-68:]
    assert set_out / set_out.sum() == pytest.approx(share / share.sum(), rel=0.25, abs=1e-3)


def test_processes_see_the_weather_of_the_hour_wherever_a_run_begins(town):
    """A run from 06:15 on: the weather changes at 07:00, after 45 minutes."""
    seen = []

    def watch(live):
        while True:
            yield live.wait(900.0, Phase.SENSORS)
            seen.append((live.time(), live.weather["temperature_c"]))

    run = town.run(days=1 / 12, seed=1, start="2025-09-02 06:15", processes=[watch], **QUIET)
    hourly = run.weather.set_index("time")["temperature_c"]
    assert len(seen) == 8 and len({value for _, value in seen}) > 1
    for at, value in seen[:-1]:
        assert value == hourly[at.floor("h")], at


def test_a_wider_street_takes_incidents_from_others_and_moves_none_between_them(town):
    """Of some 600 incidents of a day, only those change their place that now happen on the street of thrice the width.

    Its share is that of its length times capacity, within four standard deviations of a binomial.
    """
    arrays, day = town.link_arrays(), pd.Timestamp("2026-01-27", tz=town.timezone)
    wide = town.links.assign(
        capacity_veh_per_s=np.where(town.links["link_id"] == 7, 3.0, 1.0) * town.links["capacity_veh_per_s"]
    )

    def places(links):
        live = SimpleNamespace(
            seed=3, city=SimpleNamespace(links=links), start=day, engine=SimpleNamespace(arrays=arrays)
        )
        return np.array([one.link_id for one in incidents_of_day(live, day, 600.0)])

    before, after = places(town.links), places(wide)
    assert before.size == after.size > 500 and (after[before != after] == 7).all() and (before != after).any()
    weight = (wide["length_m"] * wide["capacity_veh_per_s"]).to_numpy()
    share = weight[7] / weight.sum()
    assert abs((after == 7).mean() - share) < 4 * np.sqrt(share * (1 - share) / after.size)
