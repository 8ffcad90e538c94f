"""Builds boosted trees into an artifact, and tells versions and the largest error on fresh rows as JSON."""

from __future__ import annotations

import json
import sys

import google.protobuf
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from sls_ml.artifact import build

random = np.random.default_rng(0)
rows, fresh = (
    np.where(random.random((200, 3)) < 0.1, np.nan, random.normal(size=(200, 3))) for _ in range(2)
)
target = np.nan_to_num(rows).sum(axis=1)

classifier = HistGradientBoostingClassifier(max_iter=20).fit(rows, target > 0)
shares = build(classifier, rows, name="m").predict(fresh)["probability"]
regressor = HistGradientBoostingRegressor(max_iter=20).fit(rows, target)
values = build(regressor, rows, name="m").predict(fresh)["value"]
json.dump(
    {
        "protobuf": google.protobuf.__version__,
        "probability": float(np.abs(shares - classifier.predict_proba(fresh)).max()),
        "value": float(np.abs(values - regressor.predict(fresh)).max()),
    },
    sys.stdout,
)
