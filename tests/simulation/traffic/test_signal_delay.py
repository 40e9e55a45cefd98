"""Delay at one signal in the engine, against Webster (1958) and the Highway Capacity Manual, with Poisson arrivals.

The formulas let a queue flow off evenly from the beginning of green; in the engine the first vehicle leaves at that
instant and the next one headway later, so that everybody who queued leaves half a headway sooner than on average in
the formula: n vehicles leave at 0, h, ..., (n - 1) h instead of evenly over n h. That is added before comparing.
"""

import numpy as np
import pytest

from simulation.traffic.webster import hcm_delay, uniform_delay, webster_delay

SATURATION, HEADWAY = 0.5, 2.0


def at_signal(road, arrivals, cycle, green, start=0.0):
    """A road that holds any queue and lets vehicles come as they like, after 100 s; signal at its end."""
    one = road(
        [[0]], length_m=1000.0, capacity_veh_per_s=50.0, discharge_veh_per_s=SATURATION, jam_density_veh_per_m=20.0,
        cycle_s=cycle, green_start_s=start, green_s=green, engine={"gate_fill": 1.0},
    )  # fmt: skip
    return one.release(arrivals).go(1e6)


def mean_delay(road, cycle, green, flow, *, seconds, runs):
    """Mean delay of Poisson arrivals with even discharge, s, over runs that begin empty at any instant of the cycle."""
    total = stopped = count = 0.0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        arrivals = np.sort(rng.uniform(0.0, seconds, rng.poisson(flow * seconds)))
        one = at_signal(road, arrivals, cycle, green, start=rng.uniform(0.0, cycle))
        entry, exit_, _ = one.history(0)
        assert entry.size == arrivals.size
        delay = exit_ - entry - 100.0
        total, stopped, count = total + delay.sum(), stopped + (delay > 1e-6).sum(), count + delay.size
    return (total + stopped * HEADWAY / 2) / count


def test_each_green_passes_its_saturation_flow_exactly(road):
    """200 vehicles stand there from 104 s on; 20 s of green in 60 from 127 s: ten in each, the first at once."""
    exits = at_signal(road, np.zeros(200), 60.0, 20.0, start=7.0).exits(0)
    expected = 127.0 + 60.0 * np.arange(20)[:, None] + HEADWAY * np.arange(10)
    assert exits.tolist() == expected.ravel().tolist()


def test_even_arrivals_have_the_delay_of_the_uniform_term(road):
    """0.2 veh/s every 5 s, green 30 of 60 s: x = 0.8, C (1 - u)^2 / (2 (1 - u x)) = 12.5 s."""
    arrivals = np.arange(0.0, 6000.0, 5.0)
    delays = []
    for start in np.arange(0.0, 5.0, 0.25):
        entry, exit_, _ = at_signal(road, arrivals, 60.0, 30.0, start=start).history(0)
        delay = (exit_ - entry - 100.0)[24:]
        delays.append((delay.sum() + (delay > 1e-6).sum() * HEADWAY / 2) / delay.size)
    assert np.mean(delays) == pytest.approx(float(uniform_delay(60.0, 30.0, 0.8)), rel=0.02)


@pytest.mark.parametrize("degree", [0.4, 0.6, 0.8, 0.9])
@pytest.mark.parametrize(("cycle", "green"), [(40.0, 20.0), (60.0, 30.0), (90.0, 30.0), (120.0, 80.0)])
def test_below_saturation_the_delay_is_websters_within_a_tenth(road, cycle, green, degree):
    """Webster's own error against his simulation; ours is mostly below a twentieth."""
    flow = degree * SATURATION * green / cycle
    found = mean_delay(road, cycle, green, flow, seconds=40_000.0, runs=2)
    assert found == pytest.approx(float(webster_delay(cycle, green, flow, SATURATION)), rel=0.1)


@pytest.mark.parametrize(("degree", "error"), [(1.0, 0.15), (1.2, 0.1), (1.5, 0.06)])
@pytest.mark.parametrize(("cycle", "green"), [(40.0, 20.0), (60.0, 30.0), (90.0, 30.0)])
def test_above_saturation_the_delay_is_that_of_the_manual(road, cycle, green, degree, error):
    """Quarter hours that begin empty. The manual's is the greater: its random term is that of a queue that can be
    used up at every instant, while a signal's can only be so once a cycle; this fades as the queue never ends.
    """
    flow = degree * SATURATION * green / cycle
    found = mean_delay(road, cycle, green, flow, seconds=900.0, runs=150)
    expected = float(hcm_delay(cycle, green, flow, SATURATION, period_s=900.0))
    assert (1 - error) * expected <= found <= 1.02 * expected


def test_the_delay_grows_with_flow_and_falls_with_green(road):
    delays = [
        mean_delay(road, 60.0, green, flow, seconds=5000.0, runs=3)
        for green, flow in ((40.0, 0.1), (40.0, 0.2), (30.0, 0.2), (26.0, 0.2))
    ]
    assert delays == sorted(delays)
