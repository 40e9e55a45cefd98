"""Districts of zones that touch."""

from __future__ import annotations

import numpy as np
import pytest

from zones.districts import check_districts, make_districts
from zones.errors import ZoneError


def _line(n: int) -> np.ndarray:
    return np.eye(n, k=1) + np.eye(n, k=-1)


def test_a_row_of_zones_is_cut_into_equal_stretches():
    """Nine zones in a row make three districts of neighbours."""
    found = make_districts([str(k) for k in range(9)], _line(9))
    names = list(found.values())
    assert len(set(names)) == 3
    assert all(names.index(n) + names.count(n) - 1 == 8 - names[::-1].index(n) for n in set(names))
    assert min(names.count(n) for n in set(names)) >= 2


def test_parts_that_do_not_touch_stay_apart():
    touching = np.zeros((4, 4))
    touching[0, 1] = touching[2, 3] = 1.0
    found = make_districts(["a", "b", "c", "d"], touching, count=1)
    assert found == {"a": "D1", "b": "D1", "c": "D2", "d": "D2"}


def test_all_faults_are_told_at_once():
    with pytest.raises(ZoneError, match=r"touching has shape.*count=5"):
        make_districts(["a", "b"], np.zeros((3, 3)), count=5)
    with pytest.raises(ZoneError, match=r"1 lack one \['b'\], 1 are no zones \['x'\]"):
        check_districts(["a", "b"], {"a": "N", "x": "N"})
