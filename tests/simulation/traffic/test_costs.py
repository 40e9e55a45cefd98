"""Generalised cost: tolls and distance in seconds of each class's time, and who shares routes with whom."""

import numpy as np
import pytest

from data.schemas import VEHICLE_CLASSES
from simulation.errors import RunError
from simulation.traffic.costs import Toll, UserCosts, by_group, cost_groups, toll_eur

N_CLASSES = len(VEHICLE_CLASSES)


def test_a_toll_is_worth_its_time():
    """2 EUR at 12 EUR/h: 600 s; at 20 EUR/h 360 s. 5 km at 0.0002 EUR/m are 1 EUR: 300 s at 12 EUR/h."""
    costs = UserCosts(value_of_time_eur_per_h=(12.0, 20.0, 20.0, 20.0), cost_eur_per_m=(0.0002, 0.0, 0.0, 0.0))
    toll = toll_eur([Toll(link_ids=(1,), eur=2.0)], 2)
    charge = costs.charge_s(np.array([5000.0, 0.0]), toll)
    assert charge[0] == pytest.approx([300.0, 600.0])
    assert charge[1] == pytest.approx([0.0, 360.0])


def test_tolls_add_up_by_link_and_class():
    """1 EUR for all on links 0 and 2, and 3 EUR more for lorries on link 2."""
    total = toll_eur([Toll(link_ids=(0, 2), eur=1.0), Toll(link_ids=(2,), eur=3.0, classes=(2,))], 3)
    assert total[0].tolist() == [1.0, 0.0, 1.0] and total[2].tolist() == [1.0, 0.0, 4.0]


def test_without_tolls_time_alone_counts():
    assert (UserCosts().charge_s(np.full(7, 500.0), toll_eur([], 7)) == 0).all()


def test_classes_with_equal_bans_and_charges_share_a_group():
    """Vans alone may not enter link 0; lorries alone pay: car and bus 0, van 1, heavy 2."""
    closed, charge = np.zeros((N_CLASSES, 3), bool), np.zeros((N_CLASSES, 3))
    closed[1, 0], charge[2, 1] = True, 60.0
    group = cost_groups(closed, charge)
    assert group.tolist() == [0, 1, 2, 0]
    assert by_group(charge, group)[:, 1].tolist() == [0.0, 0.0, 60.0]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Toll(link_ids=(1,), eur=-1.0, classes=(9,)), r"eur=-1.0 must be.*classes \[9\]"),
        (lambda: Toll(link_ids=(1,), eur=1.0, classes=()), "classes missing"),
        (
            lambda: UserCosts(value_of_time_eur_per_h=(12.0, 0.0, 1.0, 1.0), cost_eur_per_m=(0.0,)),
            "value_of_time_eur_per_h must be above 0.*cost_eur_per_m needs one value for each",
        ),
        (lambda: toll_eur([Toll(link_ids=(5, -1), eur=1.0)], 5), r"links \[5, -1\]; link ids run from 0 to 4"),
    ],
    ids=["negative", "no class", "value of time", "unknown link"],
)
def test_impossible_costs_are_named(make, said):
    with pytest.raises(RunError, match=said):
        make()
