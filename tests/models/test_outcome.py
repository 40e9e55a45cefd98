"""The outcome in words: an interval that cannot be is not told."""

from types import SimpleNamespace

import numpy as np
import pytest

from models.outcome import _overall


def pooled(low, high):
    """A paired test of all zones: errors of 0.9 and 1 m/s, and the interval of their difference."""
    one = np.array([[1.0]])
    return SimpleNamespace(difference=-0.1 * one, share=-0.1 * one, mean_b=one, low=low * one, high=high * one)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.15, -0.05, "; 90 % interval -15.0 to -5.0 %)."),
        (-0.25, 0.05, "may be chance: 90 % interval -25.0 to +5.0 %."),
        (-6.6, 6.4, "; too few days to say how surely."),
        (np.nan, np.nan, "; too few days to say how surely."),
    ],
)
def test_an_interval_below_all_of_the_error_says_that_days_are_too_few(low, high, said):
    text = _overall("speed_mps", pooled(low, high), 0)
    assert text.startswith("Over all zones the micromodels have 10.0 % less error (0.36 km/h") and text.endswith(said)
