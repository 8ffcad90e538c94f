"""Inference engines behind one protocol; each loads its library when it is chosen."""

from sls_ml_runtime.engines.table import load, preload

__all__ = ["load", "preload"]
