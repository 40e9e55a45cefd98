"""Link use by route trees: the transpose, a day's flows, and hours of given demand."""

import numpy as np
import pytest

from app.benchmarks.demand import make
from simulation.city import peak_flow
from simulation.demand.gateways import PEAK_HOUR_SHARE
from simulation.route_use import RouteUse
from simulation.traffic.routing import Routes


@pytest.fixture(scope="module")
def toy():
    city = make("toy")
    routes = Routes(city.link_arrays(), city.turn_index(), city.demand.dest_link, city.closed_array()[:1], seed=0)
    routes.update()
    return city, list(routes.next_link)


def test_pull_is_the_transpose_of_flows(toy):
    """weight . flows(x) = x . pull(weight), for any x and weights."""
    city, trees = toy
    rng = np.random.default_rng(1)
    link, hour = rng.integers(0, len(city.links), 15), rng.choice([8, 17], 15)
    use = RouteUse(city.demand, city.turn_index(), {8: trees, 17: trees}, link, hour)
    od, weight = rng.random(city.demand.od_veh.shape), rng.standard_normal(15)
    assert weight @ use.flows(od) == pytest.approx(float((od * use.pull(weight)).sum()), rel=1e-9)


def test_the_matrix_written_out_is_the_same_map(toy):
    """matrix @ x = flows(x) for any x, with two hours of other trees and a link that is asked twice."""
    city, trees = toy
    rng = np.random.default_rng(2)
    link, hour = np.append(rng.integers(0, len(city.links), 15), [3, 3]), np.append(rng.choice([8, 17], 15), [8, 8])
    use = RouteUse(city.demand, city.turn_index(), {8: trees, 17: trees[:1]}, link, hour)
    od = rng.random(city.demand.od_veh.shape)
    assert use.matrix() @ od.ravel() == pytest.approx(use.flows(od), rel=1e-9)


def test_all_hours_make_the_day_of_the_routes(toy):
    """Flows of 24 hours sum to the free-flow load of a day, which `peak_flow` tells of one hour."""
    city, trees = toy
    use = RouteUse(
        city.demand, city.turn_index(), dict.fromkeys(range(24), trees), np.zeros(24, np.int64), np.arange(24)
    )
    day = sum(use.all_flows(city.demand.od_veh, hour) for hour in range(24))
    assert day == pytest.approx(peak_flow(city) * 3600.0 / PEAK_HOUR_SHARE, rel=1e-9)
