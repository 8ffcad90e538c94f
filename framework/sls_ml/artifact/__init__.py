"""A trained model becomes an artifact: an ONNX graph, its signature and the proof that both agree."""

from sls_ml.artifact.artifact import Artifact, load
from sls_ml.artifact.conversion import build

__all__ = ["Artifact", "build", "load"]
