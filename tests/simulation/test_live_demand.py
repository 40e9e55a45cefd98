"""Demand and closures that change within an interval hold from that instant on, not from the next interval."""

import numpy as np
import pytest

MORNING = {"start": "2025-09-02 07:00", "incidents_per_day": 0.0, "seed": 1}


def departures(town, *processes, hours=1.0, **options):
    """Departures of a run, s since its beginning, with the trips by origin link."""
    run = town.run(days=hours / 24, processes=list(processes), keep_entry_log=True, **{**MORNING, **options})
    return run.released, run


def at(seconds, do):
    def process(live):
        yield live.env.timeout(seconds)
        do(live)

    return process


@pytest.fixture(scope="module")
def base(town):
    return departures(town)[0]


def test_an_event_adds_trips_from_its_instant_on(town, base):
    """Twice the demand from 07:16:40: the trips before are the same, and of those after each comes twice."""
    trips, run = departures(town, at(1000.0, lambda live: live.scale_demand(2.0)))
    before, later = trips[trips["depart_s"] < 1000], trips[trips["depart_s"] >= 1000]
    same, once = base[base["depart_s"] < 1000], base[base["depart_s"] >= 1000]
    assert before.equals(same)
    assert np.array_equal(later["depart_s"].to_numpy(), np.repeat(once["depart_s"].to_numpy(), 2))
    assert run.summary["conserved"] and run.summary["departed"] == len(trips)


def test_demand_that_stops_and_starts_amid_an_interval_leaves_a_gap_and_no_more(town, base):
    """No trips from 07:08:20 to 07:11:40, within one interval of 15 minutes; all others as they were."""
    undo = []
    trips, _ = departures(
        town, at(500.0, lambda live: undo.append(live.scale_demand(0.0))), at(700.0, lambda live: undo[0]())
    )
    kept = base[~base["depart_s"].between(500.0, 700.0, inclusive="left")]
    assert len(kept) < len(base)
    columns = ["depart_s", "origin_link_id", "dest_link_id", "vehicle_class"]
    assert trips[columns].reset_index(drop=True).equals(kept[columns].reset_index(drop=True))


def test_nobody_starts_on_a_street_that_has_just_been_closed(town, base):
    """Closed 100 s into an interval: the trips that would have begun there begin on another street of their place."""
    inside = base[~base["origin_link_id"].isin(town.gateways["in_link_id"])]
    door = int(inside["origin_link_id"].mode()[0])
    shut = 1000.0
    trips, run = departures(town, at(shut, lambda live: live.close([door])))
    begun = trips[trips["origin_link_id"] == door]["depart_s"]
    assert (base[base["origin_link_id"] == door]["depart_s"] > shut).any() and (begun < shut).all()
    assert len(trips) == len(base) and run.summary["lost"] == 0


def test_the_log_knows_the_trips_that_were_chosen_anew(town):
    """Each trip of the table but those still waiting at a gate has its entries in the log, and none is left over."""
    trips, run = departures(
        town, at(1000.0, lambda live: live.scale_demand(0.5)), at(1100.0, lambda live: live.scale_demand(3))
    )
    log = run.entry_log
    first = np.full(len(trips), -1)
    first[log.trip[::-1]] = log.link[::-1]
    entered = first >= 0
    assert log.trip.max() < len(trips) and entered.sum() == len(trips) - run.summary["waiting"] > 3000
    assert np.array_equal(first[entered], trips["origin_link_id"].to_numpy()[entered])


def test_a_change_at_the_beginning_of_an_interval_counts_once(town, base):
    """At 07:15 sharp, when the next interval is about to be released: half of the trips from then on, nothing twice."""
    trips, _ = departures(town, at(900.0, lambda live: live.scale_demand(0.5)))
    later, all_later = (table[table["depart_s"] >= 900] for table in (trips, base))
    assert 0.4 < len(later) / len(all_later) < 0.6 and trips["depart_s"].is_monotonic_increasing
    assert trips[trips["depart_s"] < 900].equals(base[base["depart_s"] < 900])
