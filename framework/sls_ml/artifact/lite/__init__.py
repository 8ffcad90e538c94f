"""Compiles model.onnx into model.lite, the straight-line program of the lite engine."""

from sls_ml.artifact.lite.coverage import NotCovered
from sls_ml.artifact.lite.graph import compile_lite

__all__ = ["NotCovered", "compile_lite"]
