"""Neighbour models: another choice among neighbours at the very same distance is right, nothing else is."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from sls_ml.artifact import build, ties

KNOWN = np.asarray([[0.0], [2.0], [3.0], [-1.0], [9.0]])
CLASSES = np.asarray([0, 1, 1, 2, 2])


def excused(model: Any, row: float, key: str, answer: Any) -> bool:
    return bool(ties.excused(model, np.asarray([[row]]), key, np.asarray([answer]), [0, 1, 2])[0])


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
def test_either_of_two_tied_neighbours_is_right(metric: str) -> None:
    # GIVEN a row with two neighbours at 1.0, and two tied ones, at 2.0, for the third place
    model = KNeighborsClassifier(3, metric=metric).fit(KNOWN, CLASSES)
    # WHEN the graph took the one or the other
    # THEN both are excused, and a vote that no choice gives is not
    assert excused(model, 1.0, "probability", [1 / 3, 2 / 3, 0.0])
    assert excused(model, 1.0, "probability", [1 / 3, 1 / 3, 1 / 3])
    assert not excused(model, 1.0, "probability", [2 / 3, 1 / 3, 0.0])


def test_a_near_tie_is_none() -> None:
    # GIVEN a row that is nearer to one of the two by more than rounding can do
    model = KNeighborsClassifier(3, algorithm="kd_tree").fit(KNOWN, CLASSES)
    # WHEN the graph took the other
    # THEN it is wrong: the squares, 4 - 2**-49 and 4 + 2**-49, are further apart than 4 * 3 / 2**52
    assert not excused(model, 1.0 + 2.0**-51, "probability", [1 / 3, 1 / 3, 1 / 3])


def test_what_a_search_by_brute_force_loses_is_a_tie() -> None:
    # GIVEN far from zero a row that is nearer to one of two by less than products of numbers so large keep
    model = KNeighborsClassifier(3, algorithm="brute").fit(KNOWN + 1e6, CLASSES)
    # WHEN the graph took the other
    # THEN it is excused, and what no choice gives is not
    row = 1e6 + 1.0 + 1e-7
    assert excused(model, row, "probability", [1 / 3, 1 / 3, 1 / 3])
    assert not excused(model, row, "probability", [2 / 3, 1 / 3, 0.0])
    # AND a search by trees, which takes differences, loses nothing
    exact = KNeighborsClassifier(3, algorithm="kd_tree").fit(KNOWN + 1e6, CLASSES)
    assert not excused(exact, row, "probability", [1 / 3, 1 / 3, 1 / 3])


@pytest.mark.parametrize("columns", [1, 3, 30])
def test_what_counts_as_rounding_is_a_bound_of_it(columns: int) -> None:
    # GIVEN pairs of points, and the rounding of a difference, a square and the sums: columns + 2 in all
    random = np.random.default_rng(columns)
    bound = Fraction(columns + 2, 2**53)
    for here, there in random.normal(size=(500, 2, columns)) * 10.0 ** random.integers(
        -3, 6, (500, 1, columns)
    ):
        # WHEN their distance is computed feature by feature, as scikit-learn's trees and our graphs do
        computed = 0.0
        for a, b in zip(here.tolist(), there.tolist(), strict=True):
            computed += (a - b) * (a - b)
        exact = sum(
            (Fraction(a) - Fraction(b)) ** 2 for a, b in zip(here.tolist(), there.tolist(), strict=True)
        )
        # THEN it is no further from the exact one than half of what two of them may be apart
        assert abs(Fraction(computed) - exact) <= bound * exact


def test_values_of_tied_neighbours_bound_the_answer() -> None:
    # GIVEN a regressor with tied neighbours of the values 10 and 50 beside 1 and 3
    model = KNeighborsRegressor(3).fit(KNOWN, [1.0, 3.0, 10.0, 50.0, 0.0])
    # WHEN answers lie between what the choices give, or beyond
    # THEN those between are excused alone
    assert excused(model, 1.0, "value", (1 + 3 + 10) / 3)
    assert excused(model, 1.0, "value", (1 + 3 + 50) / 3)
    assert not excused(model, 1.0, "value", (1 + 3 + 60) / 3)


def test_labels_that_a_tie_can_give() -> None:
    # GIVEN a vote that the tie decides: 2.0 surely, then 0.0 or -1.0 and 3.0 apart
    model = KNeighborsClassifier(3).fit(KNOWN, [0, 1, 1, 0, 2])
    # WHEN the graph gives a label
    # THEN one that can win is excused, one that cannot is not
    assert excused(model, 1.0, "label", 0)
    assert excused(model, 1.0, "label", 1)
    assert not excused(model, 1.0, "label", 2)


def test_handwritten_digits_pass_the_gate() -> None:
    # GIVEN neighbours of handwritten digits, whose pixels are small integers, so that distances tie
    rows, target = load_digits(return_X_y=True)
    model = KNeighborsClassifier().fit(rows, target)
    # WHEN the model is converted
    artifact = build(model, rows, name="m")
    # THEN it passes, and the report counts the ties
    ties_seen = {name: engine["ties"] for name, engine in artifact.report["engines"].items()}
    assert max(ties_seen.values()) < 10
