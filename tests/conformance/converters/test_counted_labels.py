"""A forest whose labels another model counts says the original's, also where its classes are even.

Shares such as thirds are rounded, and scikit-learn adds them up tree by tree: of two classes that have one
half each, the last bit of those sums decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.multiclass import OneVsOneClassifier
from sklearn.tree import DecisionTreeClassifier


def forest(seed: int) -> Any:
    kind = RandomForestClassifier if seed % 2 else ExtraTreesClassifier
    return kind(n_estimators=6, max_depth=3, min_samples_leaf=3, random_state=seed)


def two(seed: int) -> list[tuple[str, Any]]:
    return [("a", forest(seed)), ("b", forest(seed + 1))]


COUNTING: list[tuple[Callable[[int], Any], int]] = [
    (lambda seed: OneVsOneClassifier(forest(seed)), 3),
    (lambda seed: VotingClassifier([*two(seed), ("c", DecisionTreeClassifier(max_depth=2))]), 2),
    (lambda seed: StackingClassifier(two(seed), stack_method="predict", cv=3), 2),
    (lambda seed: AdaBoostClassifier(forest(seed), n_estimators=4, random_state=seed), 3),
]


@pytest.mark.parametrize("seed", [6, 12, 17, 49])
@pytest.mark.parametrize(("made", "classes"), COUNTING, ids=["one-vs-one", "voting", "stacking", "boosting"])
def test_even_classes(run: Any, made: Callable[[int], Any], classes: int, seed: int) -> None:
    # GIVEN a model that counts the labels of small forests, on a table of few values
    random = np.random.default_rng(seed)
    x = random.integers(0, 4, (60, 3)).astype(float)
    model = made(seed).fit(x, random.integers(0, classes, 60))

    # WHEN its graph answers every row that there can be
    every = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3)
    label, *_ = run(model, every)

    # THEN each label is the original's
    np.testing.assert_array_equal(label, model.predict(every))
