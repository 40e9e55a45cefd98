"""Parts of a gap: they multiply to the whole, and each is what it was made to be."""

from __future__ import annotations

import numpy as np
import pytest

from models.gap_parts import gap_parts, nested_loss


def test_the_parts_multiply_to_the_whole():
    """Total 1.30 = shift 1.10 x choosing 1.02 x age 1.05 x rest."""
    parts = gap_parts(
        total=0.30, shift=0.10, clear=True, plain=1.0, nested=1.02, stale=2.1, fresh=2.0, other_shift=0.25
    )
    whole = (1 + parts.shift) * (1 + parts.choosing) * (1 + parts.age) * (1 + parts.left)
    assert whole == pytest.approx(1.30)
    assert parts.optimism == pytest.approx(1.30 / 1.10 - 1) and parts.to_explain
    assert parts.choosing == pytest.approx(0.02) and parts.age == pytest.approx(0.05)
    said = parts.words()
    assert "+2.0 % from choosing" in said and "+5.0 % from age" in said and "optimism would be +4.0 %" in said


def test_what_chance_may_be_asks_for_no_explanation():
    parts = gap_parts(total=0.30, shift=0.10, clear=False, plain=1.0, nested=1.0)
    assert not parts.to_explain and "which chance may be" in parts.words() and parts.age is None


def test_the_best_of_many_that_are_all_luck_is_flattered_and_nested_is_not():
    """Forty candidates with the same expected loss: the least of their means lies below it, the nested one does not."""
    rng = np.random.default_rng(3)
    fold = np.repeat([0, 1], 50)
    plain, nested = [], []
    for _ in range(30):
        losses = {f"c{k}": rng.exponential(1.0, (100, 1)) for k in range(40)}
        _, one, other = nested_loss(losses, fold)
        plain.append(one)
        nested.append(other)
    assert np.mean(plain) < 0.85 < 0.95 < np.mean(nested) < 1.05


def test_one_fold_or_one_candidate_leaves_nothing_to_choose():
    loss = {"a": np.array([[1.0], [3.0]])}
    assert nested_loss(loss, np.array([0, 1])) == ("a", 2.0, 2.0)
    both = {**loss, "b": np.array([[2.0], [1.0]])}
    assert nested_loss(both, np.array([0, 0])) == ("b", 1.5, 1.5)


def test_nested_choice_is_scored_on_the_fold_that_did_not_choose():
    """Fold 0 prefers a (1 < 2), fold 1 prefers b (1 < 3): chosen on the other, a on fold 1 and b on fold 0: 2.5."""
    losses = {"a": np.array([1.0, 3.0]), "b": np.array([2.0, 1.0])}
    assert nested_loss(losses, np.array([0, 1])) == ("b", 1.5, 2.5)
