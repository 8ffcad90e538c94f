"""The libraries of boosted trees whose estimators stand where one of scikit-learn can."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sls_ml.artifact.extras import need

if TYPE_CHECKING:
    import pandas as pd


class Library(Protocol):
    """What is asked of a library besides the converters that its module registers."""

    NAME: str
    PACKAGES: tuple[str, ...]

    def read(self, path: Path) -> Any:
        """Read a model file of the library as an estimator."""

    def adopted(self, model: Any) -> Any:
        """Give an estimator that predicts as a bare booster does; estimators come back as they are."""

    def feature_names(self, model: Any) -> list[str] | None:
        """Names of the columns that the model was trained on, None where they had none."""

    def width(self, model: Any) -> int:
        """The number of columns that the model was trained on."""

    def categories(self, model: Any) -> Mapping[int, Sequence[Any]]:
        """Known values of the model's own categorical columns, by position."""

    def hashed(self, model: Any) -> Sequence[int]:
        """Positions of the columns of whose categories the model keeps hashes alone."""

    def taught(self, model: Any, frame: pd.DataFrame) -> Any:
        """Give a copy of a model that knows the values behind its hashes by the sample's rows.

        Args:
            model: The estimator, which has such columns.
            frame: All columns of the model, in its order.
        """

    def labels(self, model: Any) -> int:
        """The number of labels of a classifier trained on an indicator matrix, 0 for other models."""

    def splits(self, model: Any) -> list[tuple[int, float]]:
        """Column and threshold of the trees' splits."""


def library(name: str) -> Library | None:
    """Give a library by the name of its module, its converters registered; None for all others.

    Raises:
        ExternalError: The extra that it needs is not installed.
    """
    match name:
        case "xgboost":
            need("skl2onnx", extra=name)
            need("xgboost", extra=name)
            from sls_ml.artifact.exporters import xgboost

            return xgboost
        case "lightgbm":
            need("skl2onnx", extra=name)
            need("lightgbm", extra=name)
            from sls_ml.artifact.exporters import lightgbm

            return lightgbm
        case "catboost":
            need("skl2onnx", extra=name)
            need("catboost", extra=name)
            from sls_ml.artifact.exporters import catboost

            return catboost
        case _:
            return None


def library_of(part: object) -> Library | None:
    """Give the library of an estimator, None where it is none of these libraries'."""
    return library(_module(part)) if hasattr(part, "get_params") else None


def adopted(model: Any, width: Callable[[], int]) -> Any:
    """Give an estimator for a bare booster, a graph for a module of PyTorch, and all others as they are.

    A ranker at the end of a Pipeline becomes an estimator there: scikit-learn has no kind for it.

    Args:
        model: The model.
        width: Counts the columns of the sample.
    """
    if "torch" in sys.modules and isinstance(model, sys.modules["torch"].nn.Module):
        from sls_ml.artifact.exporters import torch

        return torch.from_module(model, width())
    if isinstance(model, need("sklearn.pipeline").Pipeline) and model.steps:
        name, last = model.steps[-1]
        ready = adopted(last, width)
        if ready is not last:
            model = copy.copy(model)
            model.steps = [*model.steps[:-1], (name, ready)]
        return model
    found = library(_module(model))
    return model if found is None else found.adopted(model)


def _module(part: object) -> str:
    module = type(part).__module__.removeprefix(f"{__package__}.")  # estimators of ours around boosters
    return module.partition(".")[0]
