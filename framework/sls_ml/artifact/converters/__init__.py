"""Our converters from scikit-learn to ONNX, registered over those of skl2onnx.

Call `check` for the model, `register` before `skl2onnx.convert_sklearn`, pass `options` of every part keyed
by its `id`, and ask for ``target_opset={"": 18, "ai.onnx.ml": 3}``. What our converters promise:

- Numbers enter as float64 (float32, int64 and bool are widened) and leave as float64. Trees round to
  float32 by themselves where scikit-learn does, so no cast goes before them; HistGradientBoosting compares in
  double precision, as scikit-learn does, and a cast before it would make it wrong.
- Outputs are called ``label`` (int64 or string, ``[N]``) and ``probabilities``, or ``scores`` for classifiers
  without probabilities, for outlier detectors and clusterers; regressors and transformers give ``variable``.
- Trees become one ``TreeEnsemble`` of ai.onnx.ml 5, so the graph states that version: read it from the model.
- A ColumnTransformer may be anywhere in the model, and calls its columns by position or by name.
- A missing string arrives as `NULL_STRING`, or as `NONE_STRING` where the original has None for it.
"""

# Importing a family registers its converters.
from sls_ml.artifact.converters import (  # noqa: F401
    bayes,
    boosting,
    calibration,
    clusters,
    combined,
    curves,
    encoders,
    features,
    imputers,
    kernels,
    linear,
    meta,
    mixtures,
    multioutput,
    nearest_imputer,
    neighbors,
    neural,
    projections,
    text,
    trees,
)
from sls_ml.artifact.converters.categories import NONE_STRING, NULL_STRING
from sls_ml.artifact.converters.conversion import options
from sls_ml.artifact.converters.graph import Graph, Tensor
from sls_ml.artifact.converters.native_types import check_functions
from sls_ml.artifact.converters.refusals import check
from sls_ml.artifact.converters.registry import converter, owns, register

__all__ = [
    "NONE_STRING",
    "NULL_STRING",
    "Graph",
    "Tensor",
    "check",
    "check_functions",
    "converter",
    "options",
    "owns",
    "register",
]
