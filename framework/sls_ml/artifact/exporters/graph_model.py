"""What is asked of a model that brings its ONNX graph with it, whatever it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class GraphModel(ABC):
    """A model that brings its graph.

    Attributes:
        library: Where it comes from, for the manifest.
        estimator: What it is, for the manifest.
        judged_by: What gives its answers, for the report.
        kind: The manifest's kind, once the outputs are understood.
        classes: The classes of a classifier.
    """

    library: str
    estimator: str
    judged_by: str
    kind: str
    classes: list[Any] | None

    @abstractmethod
    def columns(self, width: int) -> GraphModel:
        """Give each input its columns, for a sample of so many."""

    @property
    @abstractmethod
    def names(self) -> list[str] | None:
        """The columns' names where the graph has an input for each column, else None."""

    @property
    @abstractmethod
    def dtypes(self) -> list[str]:
        """The manifest's dtype of each column."""

    @abstractmethod
    def tensors(self) -> list[dict[str, Any]]:
        """Give the manifest's tensors."""

    @abstractmethod
    def understood(self, frame: pd.DataFrame) -> GraphModel:
        """Find out what the outputs mean, by their names, shapes and values on some rows."""

    @abstractmethod
    def answers(self, frame: pd.DataFrame) -> dict[str, np.ndarray[Any, Any]]:
        """Give the model's own answers by the manifest's keys, one array of N or [N, C] each."""

    @abstractmethod
    def graph(self) -> Any:
        """Give the graph with inputs as the manifest's tensors and outputs in the order of the answers."""
