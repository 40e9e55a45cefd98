"""The living city: what a process may change, and that it comes back exactly."""

from dataclasses import replace

import numpy as np
import pytest

from simulation.errors import DemandError, RunError
from simulation.traffic.layout import OCCUPANCY

MORNING = {"start": "2025-09-02 07:00", "incidents_per_day": 0.0, "seed": 1}
MAIN = 43  # a link of the wide street in the middle of the town


def in_town(town, do, *, hours=1.0, **options):
    """Let `do(live)` happen at the start of a run; returns its result and the run's."""
    kept = []

    def process(live):
        done = do(live)
        kept.append(done if not hasattr(done, "__next__") else (yield from done))
        if not hasattr(done, "__next__"):
            yield live.env.timeout(0.0)

    run = town.run(days=hours / 24, processes=[process], **{**MORNING, **options})
    return kept[0], run


def physics(live):
    links = live.engine.v.links
    names = ("free_time", "headway_in", "headway", "wave_time", "storage", "cycle", "green_start", "green")
    return b"".join(links[name].tobytes() for name in names)


def test_a_closed_link_empties_and_its_traffic_goes_elsewhere(town):
    """Compared over two hours: nobody enters it, the trips all arrive, neighbours carry more."""
    base = town.run(days=1 / 12, **MORNING)
    busy = int(
        base.link_totals["outflow_veh"].drop([*town.gateways["in_link_id"], *town.gateways["out_link_id"]]).idxmax()
    )
    _, run = in_town(town, lambda live: live.close([busy]), hours=2)
    assert base.link_totals.loc[busy, "outflow_veh"] > 200 and run.link_totals.loc[busy, "outflow_veh"] <= 30
    assert run.summary["lost"] == 0 and run.summary["conserved"]
    more = run.link_totals["outflow_veh"] - base.link_totals["outflow_veh"]
    assert more.drop(busy).max() > 50


@pytest.mark.parametrize("classes", [None, [0]], ids=["all", "cars"])
def test_drivers_already_under_way_choose_again(town, classes):
    """Closed at 08:01:40; ten minutes later, before anybody learns new travel times, no car is on the link any more."""

    def cars(live):
        return int(live.engine.v.flow[busy, 0, OCCUPANCY])

    def shut(live):
        yield live.env.timeout(3700.0)
        before = cars(live)
        live.close([busy], classes=classes)
        yield live.env.timeout(600.0)
        return before, cars(live), live.engine.counts().lost

    base = town.run(days=1 / 12, **MORNING)
    gates = [*town.gateways["in_link_id"], *town.gateways["out_link_id"]]
    busy = int(base.link_totals["outflow_veh"].drop(gates).idxmax())
    (before, after, lost), _ = in_town(town, shut, hours=2)
    assert before > 0 and after == 0 and lost == 0


def test_those_under_way_follow_the_routes_of_their_class(town):
    """Closed to vans amid the morning: every van on the road follows routes that avoid the link, and nobody else."""

    def shut(live):
        yield live.env.timeout(3700.0)
        live.close([MAIN], classes=[1])
        trips = live.engine.v.trips
        group = trips["layer"] // live.routes.perceptions
        return live.routes.closed[group, MAIN], trips["vehicle_class"] == 1

    (avoids, vans), _ = in_town(town, shut, hours=2)
    assert np.array_equal(avoids, vans) and 0 < vans.sum() < vans.size


def test_closures_of_a_link_count(town):
    """Closed twice and opened once it is closed; one `open` too many is an error."""

    def do(live):
        live.close([MAIN])
        live.close([MAIN, 44], classes=[0, 2])
        live.open([MAIN])
        first = live.closed()[:, [MAIN, 44]].tolist()
        live.open([MAIN, 44], classes=[0, 2])
        second = live.closed().any()
        with pytest.raises(RunError, match="every open needs its close"):
            live.open([MAIN])
        return first, second

    (first, second), _ = in_town(town, do)
    assert first == [[True, True], [False, False], [True, True], [False, False]] and not second


def test_a_closure_to_one_class_turns_that_class_alone(town):
    _, run = in_town(town, lambda live: live.close([MAIN], classes=[2]), hours=2, keep_link_state=True)
    on = run.link_state[run.link_state["link_id"] == MAIN].groupby("vehicle_class", observed=False)["inflow_veh"].sum()
    assert on["heavy"] == 0 and on["car"] > 100


@pytest.mark.parametrize(
    "change",
    [
        lambda live, on: live.set_speed([MAIN, 3], 5.0 if on else None),
        lambda live, on: live.set_speed([MAIN, 3], [20.0, 2.0] if on else None),
        lambda live, on: live.set_lanes([MAIN], 1 if on else None),
        lambda live, on: live.set_lanes([3], 3.5 if on else None),
        lambda live, on: live.set_capacity_share([MAIN, 3], 0.35 if on else 1.0),
        lambda live, on: live.close([MAIN]) if on else live.open([MAIN]),
    ],
    ids=["speed", "speeds", "fewer lanes", "more lanes", "incident", "closure"],
)
def test_what_is_taken_back_is_as_it_was_bit_for_bit(town, change):
    """Amid traffic, and all vehicles are still there."""

    def do(live):
        before = physics(live), live.closed().tobytes()
        yield live.env.timeout(1000.0)
        change(live, True)
        during = physics(live), live.closed().tobytes()
        yield live.env.timeout(500.0)
        change(live, False)
        return before, during, (physics(live), live.closed().tobytes())

    (before, during, after), run = in_town(town, do)
    assert before == after != during and run.summary["conserved"]


def test_a_change_that_is_taken_back_before_it_could_matter_changes_nothing(town):
    """Set and given back at one instant: the rest of the run is the same, bit for bit."""

    def do(live):
        yield live.env.timeout(1234.0)
        live.set_speed([MAIN], 3.0)
        live.set_speed([MAIN], None)
        with live.together():
            live.set_lanes([MAIN], 1)
            live.set_lanes([MAIN], None)

    _, run = in_town(town, do, hours=2)
    base = town.run(days=1 / 12, **MORNING)
    assert run.zone_truth["vehicle_distance_m"].to_numpy() == pytest.approx(
        base.zone_truth["vehicle_distance_m"], rel=1e-2
    )
    assert run.summary["departed"] == base.summary["departed"]


def test_a_slower_street_takes_longer_and_a_faster_one_shorter(town):
    """200 m at 4 m/s are 50 s, at 20 m/s 10 s."""

    def do(live):
        live.set_speed([MAIN], 4.0)
        slow = live.engine.free_time_s[MAIN]
        live.set_speed([MAIN], 20.0)
        fast = live.engine.free_time_s[MAIN]
        return slow, fast

    (slow, fast), _ = in_town(town, do)
    assert (slow, fast) == pytest.approx((50.0, 10.0))


def test_half_the_lanes_pass_half_and_hold_half(town):
    def do(live):
        links = live.engine.v.links
        before = links[MAIN].copy()
        live.set_lanes([MAIN], 1)
        return before, links[MAIN].copy()

    (before, after), _ = in_town(town, do)
    assert after["headway_in"] == pytest.approx(2 * before["headway_in"])
    assert after["headway"] == pytest.approx(2 * before["headway"])
    assert after["storage"] == np.ceil(before["storage"] / 2)


def test_demand_follows_its_factors_and_what_takes_them_back(town):
    """Half from 07:00, all again at 08:00: departures of each hour against the base, each within 5 %."""

    def do(live):
        undo = live.scale_demand(0.5)
        yield live.env.timeout(3600.0 - 1.0)
        undo()
        assert live.demand_factor() is None

    _, run = in_town(town, do, hours=2)
    base = town.run(days=1 / 12, **MORNING)
    one, other = run.counts["departed"].to_numpy(), base.counts["departed"].to_numpy()
    assert one[3] / other[3] == pytest.approx(0.5, abs=0.05)
    assert (one[7] - one[4]) / (other[7] - other[4]) == pytest.approx(1.0, abs=0.05)


def test_factors_multiply_and_name_their_places(town):
    def do(live):
        live.scale_demand(0.5, origin_zones=["Z01"])
        undo = live.scale_demand(3.0, dest_zones=["Z02"])
        both = live.demand_factor()
        undo()
        undo()
        with pytest.raises(DemandError, match="unknown places"):
            live.scale_demand(0.5, origin_zones=["Z77"])
        return both, live.demand_factor()

    (both, one), _ = in_town(town, do)
    assert both[0, 1] == 1.5 and both[0, 0] == 0.5 and both[2, 1] == 3.0 and both[2, 2] == 1.0
    assert one[0, 1] == 0.5 and one[2, 1] == 1.0


@pytest.mark.parametrize("factor", [0.0, 2.0])
def test_more_and_no_demand_are_what_they_say(town, factor):
    _, run = in_town(town, lambda live: live.scale_demand(factor))
    base = town.run(days=1 / 24, **MORNING)
    assert run.summary["departed"] == pytest.approx(
        factor * base.summary["departed"], abs=0.02 * base.summary["departed"]
    )


def test_a_signal_can_be_retimed_and_switched_off(town):
    at = int(town.signals["link_id"].iloc[0])

    def do(live):
        live.retime([at], cycle_s=90.0, green_start_s=10.0, green_s=40.0)
        new = [float(live.engine.v.links[name][at]) for name in ("cycle", "green_start", "green")]
        live.retime([at], cycle_s=0.0, green_start_s=0.0, green_s=0.0)
        return new, float(live.engine.v.links["cycle"][at])

    (new, off), _ = in_town(town, do)
    assert new == [90.0, 10.0, 40.0] and off == 0.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda live: live.close([80]), "run from 0 to 79"),
        (lambda live: live.set_speed([-1], 5.0), "run from 0 to 79"),
        (lambda live: live.set_speed([3], 0.0), "must be above 0"),
        (lambda live: live.set_speed([3], np.nan), "must be above 0"),
        (lambda live: live.set_lanes([3], 0), "close the link instead"),
        (lambda live: live.set_capacity_share([3], 0.0), "close the link instead"),
        (lambda live: live.set_capacity_share([3], 1.5), "at most 1"),
        (lambda live: live.retime([3], cycle_s=60.0, green_start_s=0.0, green_s=70.0), "0 < green_s <= cycle_s"),
        (lambda live: live.seconds_until(9e9), "not a time of day"),
        (lambda live: live.seconds_until(-5.0), "not a time of day"),
        (lambda live: live.close([3], classes=[4]), "vehicle class"),
        (lambda live: live.close([3], classes=[-1]), "vehicle class"),
    ],
)
def test_impossible_changes_are_refused(town, change, words):
    with pytest.raises(RunError, match=words):
        in_town(town, change)


def test_the_clock_on_the_wall_is_the_towns(town):
    def do(live):
        yield live.env.timeout(90.0)
        return live.time_of_day_s(), live.seconds_until(7 * 3600.0 + 90.0), live.seconds_until(7 * 3600.0), live.time()

    (wall, now, past, utc), _ = in_town(town, do)
    assert wall == 7 * 3600.0 + 90.0 and now == 0.0 and past == 86_400.0 - 90.0
    assert str(utc) == "2025-09-02 04:01:30+00:00"  # Helsinki is 3 h ahead in September


def test_a_link_that_nobody_uses_may_be_closed_without_a_trace(town, maker):
    """A link of 0.6 m/s takes 333 s where the way round the block takes 72 s: it is on nobody's route.

    Closed for good or amid a run, to all classes: every zone has the same life, bit for bit.
    """
    doors = set(town.demand.origins.link) | set(town.demand.destinations.link)
    slow = next(k for k in town.links.index[town.links["road_class"] == "residential"] if k not in doors)
    links = town.links.copy()
    links.loc[slow, "free_flow_speed_mps"] = 0.6
    city = maker(links=links, demand=town.demand, signals=town.signals)
    base = city.run(days=1 / 6, **MORNING)
    assert base.link_totals.loc[slow, "outflow_veh"] == 0
    good = replace(city, closed=frozenset((slow, k) for k in range(4))).run(days=1 / 6, **MORNING)
    _, amid = in_town(city, lambda live: live.close([slow]), hours=4)
    for other in (good, amid):
        assert other.zone_truth.equals(base.zone_truth) and other.zone_state.equals(base.zone_state)
        assert other.counts.equals(base.counts)
