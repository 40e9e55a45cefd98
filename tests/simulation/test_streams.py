"""Random numbers by name: the same for the same name, independent of order, spread as they should be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.streams import Purpose, bits, normal, uniform

words = st.integers(0, 2**31 - 1)


@given(seed=words, day=words, items=st.lists(words, min_size=1, max_size=20))
def test_a_number_depends_on_its_name_alone(seed, day, items):
    """Asked together, alone or backwards."""
    together = uniform(seed, day, np.array(items), Purpose.DEPARTURE)
    alone = [uniform(seed, day, item, Purpose.DEPARTURE)[0] for item in items]
    backwards = uniform(seed, day, np.array(items[::-1]), Purpose.DEPARTURE)[::-1]
    assert together.tolist() == alone == backwards.tolist()
    assert ((together > 0) & (together < 1)).all()


@pytest.mark.parametrize("word", ["seed", "day", "item", "purpose", "index"])
def test_every_part_of_the_name_counts(word):
    name = {"seed": 1, "day": 2, "item": 3, "purpose": Purpose.DEPARTURE, "index": 4}
    other = {**name, word: Purpose.INCIDENT if word == "purpose" else name[word] + 1}
    assert bits(**name)[0] != bits(**other)[0]


def test_no_two_of_a_hundred_thousand_names_meet():
    """With 64 bits the chance of any two alike among 10^5 is 3e-10."""
    items, index = np.divmod(np.arange(100_000), 100)
    assert np.unique(bits(1, 2, items, Purpose.TRIP_COUNT, index=index)).size == 100_000


def test_neighbouring_names_are_not_alike():
    """Lag-one correlation of 10^5 numbers within 4 / sqrt(10^5) = 0.013, along items, seeds and days."""
    n = 100_000
    along_items = uniform(1, 0, np.arange(n), Purpose.DEPARTURE)
    along_index = uniform(1, 0, 7, Purpose.DEPARTURE, index=np.arange(n))
    along_days = np.array([uniform(1, day, 7, Purpose.DEPARTURE)[0] for day in range(5000)])
    for x, bound in ((along_items, 0.013), (along_index, 0.013), (along_days, 0.057)):
        assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < bound
    assert abs(np.corrcoef(along_items, along_index)[0, 1]) < 0.013


def test_numbers_are_uniform():
    """Mean 1/2 +- 4 x 0.2887 / sqrt(n); each of 20 bins 5 % of n +- 4 standard deviations."""
    x = uniform(5, 3, np.arange(200_000), Purpose.ORIGIN_LINK)
    assert x.mean() == pytest.approx(0.5, abs=4 * 0.2887 / np.sqrt(x.size))
    count = np.histogram(x, bins=20, range=(0, 1))[0]
    assert np.abs(count - 10_000).max() < 4 * np.sqrt(200_000 * 0.05 * 0.95)


def test_normals_have_mean_0_and_deviation_1():
    z = normal(5, 3, np.arange(200_000), Purpose.HOUR_FACTOR)
    assert z.mean() == pytest.approx(0.0, abs=0.01) and z.std() == pytest.approx(1.0, abs=0.01)
    assert np.isfinite(z).all() and (z > 1.96).mean() == pytest.approx(0.025, abs=0.002)


def test_purposes_are_all_different():
    assert len({int(purpose) for purpose in Purpose}) == len(Purpose.__members__)
