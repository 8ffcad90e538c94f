"""Ways to make an unfitted estimator from its class, for the recipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from data import TRAINING, numbers, target


@dataclass(frozen=True)
class Recipe:
    """One trial of an estimator.

    Attributes:
        estimator: Name of the class.
        data: Key of `DATA`.
        target: ``two``, ``three``, ``value``, ``counts``, ``pair`` (two values),
            ``labels`` (two of 0 and 1), ``names`` (two of texts) or ``none``.
        build: Gives the unfitted estimator from its class.
        note: What the trial is about, where the class is tried more than once.
    """

    estimator: str
    data: str
    target: str
    build: Callable[[Any], Any]
    note: str = ""


def plain(cls: Any) -> Any:
    return cls()


def tried(
    names: str, data: str, target_: str, build: Callable[[Any], Any] = plain, note: str = ""
) -> list[Recipe]:
    return [Recipe(name, data, target_, build, note) for name in names.split()]


def given(**arguments: Any) -> Callable[[Any], Any]:
    return lambda cls: cls(**arguments)


def linear() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def svm() -> Any:
    from sklearn.svm import LinearSVC

    return LinearSVC()


def scaled_svm() -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), SVC())


def forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(10, random_state=0)


def around(make: Callable[[], Any], **arguments: Any) -> Callable[[Any], Any]:
    return lambda cls: cls(make(), **arguments)


def ridge() -> Any:
    from sklearn.linear_model import Ridge

    return Ridge()


def tree() -> Any:
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor(max_depth=4)


def classifiers() -> list[tuple[str, Any]]:
    return [("line", linear()), ("forest", forest())]


def regressors() -> list[tuple[str, Any]]:
    return [("line", ridge()), ("tree", tree())]


def standard_scaler() -> Any:
    from sklearn.preprocessing import StandardScaler

    return StandardScaler()


def column_transformer(cls: Any) -> Any:
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    return cls([("a", StandardScaler(), [0, 1]), ("b", MinMaxScaler(), [3]), ("c", "passthrough", [5])])


def union(cls: Any) -> Any:
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    return cls([("a", StandardScaler()), ("b", PCA(2))], transformer_weights={"b": 2.0})


def pipeline(cls: Any) -> Any:
    from sklearn.preprocessing import StandardScaler

    return cls([("scale", StandardScaler()), ("forest", forest())])


def frozen(cls: Any) -> Any:
    x = numbers(TRAINING, 0)
    return cls(linear().fit(x, target("two", x, 0)))


def of_function(function: Any) -> Callable[[Any], Any]:
    return lambda cls: cls(function)


def before_linear(cls: Any) -> Any:
    from sklearn.pipeline import make_pipeline

    return make_pipeline(cls(linear()), linear())


def coder(cls: Any) -> Any:
    return cls(np.eye(6)[:3])


def kernels(number: int) -> Callable[[Any], Any]:
    def build(cls: Any) -> Any:
        from sklearn.gaussian_process.kernels import (
            RBF,
            ConstantKernel,
            DotProduct,
            Matern,
            RationalQuadratic,
            WhiteKernel,
        )

        kernel = (
            ConstantKernel(2.0) * RBF(1.5) + WhiteKernel(0.1),
            Matern(nu=1.5),
            RationalQuadratic(),
            DotProduct(),
        )[number]
        return cls(kernel=kernel, alpha=1e-3, normalize_y=True)

    return build
