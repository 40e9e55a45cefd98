"""What every planner would check first: empty roads, unused streets, free charges, and the paradox of Braess."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.readers.tntp import read_tntp_network, read_tntp_trips
from simulation.demand.trips import DayTrips
from simulation.scenarios import ChargeDistance, ChargeToll, CloseStreet, Scenario, Selection, SpeedLimit
from simulation.traffic.dynamic_equilibrium import dynamic_equilibrium
from simulation.traffic.loading import Network, NodeTrips
from simulation.traffic.network import LinkArrays

BRAESS = Path(os.environ.get("ZONEWISE_SHARED_DATA", Path(__file__).parents[3].parent / "shared" / "data"))
HOUR = {"days": 1 / 24, "seed": 4, "start": "2025-09-02 07:00", "incidents_per_day": 0.0}
TABLES = ("zone_truth", "zone_state", "sensor_state", "link_totals", "counts", "trips", "receptor_means")


def same_to_the_last_bit(one, other):
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)


def test_closing_a_street_without_traffic_changes_nothing(city):
    """Two trips in a hundred of the toy town leave some streets empty, where no trip may begin or end either."""
    quiet = replace(city, demand=city.demand.scaled(0.02))
    base = quiet.run(keep_entry_log=True, **HOUR)
    used = np.union1d(np.unique(base.entry_log.link), base.released[["origin_link_id", "dest_link_id"]].to_numpy())
    doors = np.union1d(quiet.demand.origins.link, quiet.demand.destinations.link)
    empty = np.setdiff1d(np.arange(len(quiet.links)), np.union1d(used, doors))
    assert empty.size and len(base.released) > 10
    closed = CloseStreet(where=Selection(links=tuple(empty[:3].tolist()))).apply(quiet)
    same_to_the_last_bit(closed.run(keep_entry_log=True, **HOUR), base)


def test_a_charge_of_zero_changes_nothing(city):
    free = Scenario(
        name="free",
        measures=(ChargeToll(where=Selection(zones=("Z01",)), eur=0.0, cordon=True),
                  ChargeDistance(where=Selection(), eur_per_km=0.0)),
    )  # fmt: skip
    same_to_the_last_bit(free.apply(city).run(**HOUR), city.run(**HOUR))


def test_a_higher_limit_on_an_empty_road_lowers_its_travel_time_exactly(city):
    """One car alone: its time between two crossings is length over speed, before and after, to the last digits."""
    signalled = set(city.signals["link_id"])
    turns = city.turns[city.turns["angle_deg"].abs() < 10]
    after = dict(zip(turns["from_link_id"], turns["to_link_id"]))
    ends = set(city.demand.dest_link.tolist())
    first, on, last = next(
        (a, after[a], after[after[a]])
        for a in range(len(city.links))
        if a in after and after[a] in after and after[a] not in signalled and after[after[a]] in ends
    )
    alone = replace(city, demand=city.demand.scaled(1e-9))

    def seconds(town):
        def car(live):
            one = np.zeros(1, dtype=np.int64)
            trip = DayTrips(
                depart_s=np.array([60.0]), origin_link=one + first, dest_link=one + last, taste=np.array([0.5]),
                vehicle_class=one, pair=one, key=one.astype(np.uint64),
            )  # fmt: skip
            live.add_trips(trip)
            yield live.env.timeout(0.0)

        log = town.run(processes=[car], keep_entry_log=True, **HOUR).entry_log
        entered = dict(zip(log.link.tolist(), log.time_s.tolist()))
        return entered[last] - entered[on]

    faster = SpeedLimit(where=Selection(links=(on,)), kmh=100.0, may_raise=True)
    length = float(city.links["length_m"].iloc[on])
    before = float(city.links["free_flow_speed_mps"].iloc[on])
    assert seconds(alone) == pytest.approx(length / before, rel=1e-9)
    assert seconds(faster.apply(alone)) == pytest.approx(length / (100.0 / 3.6), rel=1e-9)
    unheard = SpeedLimit(where=Selection(links=(on,)), kmh=100.0)  # without leave to raise it
    assert seconds(unheard.apply(alone)) == seconds(alone)


def braess(links, keep, *, unit_s, capacity):
    """Links of the file as streets: those without a time of their own are bottlenecks, the others long and roomy."""
    rows = links[keep]
    free = np.maximum(rows["free_flow_time_native"].to_numpy() * unit_s, 1.0)
    narrow = rows["free_flow_time_native"].to_numpy() < 1e-3
    n = len(rows)
    full = lambda value: np.broadcast_to(np.asarray(value, float), n).copy()  # noqa: E731
    return Network.from_arrays(
        LinkArrays(
            length_m=10.0 * free, lanes=full(1), speed_mps=full(10.0), capacity_veh_per_s=full(15.0),
            discharge_veh_per_s=np.where(narrow, capacity, 12.0), jam_density_veh_per_m=full(30.0), cycle_s=full(0),
            green_start_s=full(0), green_s=full(0), key=np.arange(n, dtype=np.uint64),
        ),
        rows["from_node"].to_numpy() - 1, rows["to_node"].to_numpy() - 1,
    )  # fmt: skip


def test_the_paradox_of_braess_shows_in_queues_from_the_bottlenecks_capacity_on():
    """The file's network with volumes in 0.25 veh/s, times in 6 s: long streets 300 s, bridge 60 s, demand 1.5 veh/s.

    Each bottleneck passes half of the file's demand, 0.75 veh/s, so that both ways together just carry it. Without the
    bridge nobody waits: 301 s at any demand up to 1.5. With it, 0.6 veh/s (below one bottleneck) all take it and need
    1 + 60 + 1 s: the bridge helps. At 1.5 veh/s all want it, a queue grows by a second a second until waiting costs
    the 300 - 60 s that it saves at each of the two bottlenecks: up to 540 s, and everybody is worse off.
    """
    folder = BRAESS / "tntp" / "Braess-Example"
    if not folder.is_dir():
        pytest.skip(f"no Braess network at {folder}; set ZONEWISE_SHARED_DATA to where the test problems lie")
    links = read_tntp_network(next(folder.glob("*net*.tntp*"))).links
    volume = read_tntp_trips(next(folder.glob("*trips*.tntp*")))["trips_native"].sum() * 0.25
    bridge = ((links["from_node"] == 3) & (links["to_node"] == 4)).to_numpy()
    assert volume == 1.5 and bridge.sum() == 1

    def seconds(keep, demand):
        depart = np.arange(0.0, 1800.0, 1.0 / demand)
        trips = NodeTrips(depart_s=depart, orig=np.zeros(depart.size, np.int64), dest=np.full(depart.size, 1))
        net = braess(links, keep, unit_s=6.0, capacity=volume / 2.0)
        return dynamic_equilibrium(net, trips, gap=0.01, max_iterations=50).run.travel_time_s

    few = seconds(np.ones(5, dtype=bool), 0.6)
    assert few.mean() == pytest.approx(62.0, abs=2.0) and seconds(~bridge, 0.6).mean() == pytest.approx(301.0, abs=2.0)
    without, with_it = seconds(~bridge, volume), seconds(np.ones(5, dtype=bool), volume)
    assert without.mean() == pytest.approx(301.0, rel=0.03)  # a gap of 1 %, and waits where both ways are just full
    assert with_it.mean() > 1.25 * without.mean() and with_it.max() < 1.1 * 542.0
