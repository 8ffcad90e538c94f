"""Reads CatBoost's tables of statistics from the code that it exports: its JSON keeps one of those of a name.

Statistics of several targets have a name in common in JSON, where the last table takes the place of the
others. In code each has its own number. Sums of means are rounded there, so that counts alone are read.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd

from sls_ml.artifact.exporters.catboost_tables import COUNTED, MEANS, unknown

_SEVERAL = ("MultiCrossEntropy", "MultiLogloss", "MultiRMSE", "MultiRMSEWithMissingValues")
"""Losses of several targets."""

_STATISTIC = re.compile(
    r'catboost_model_ctr\(base_hash = (\d+), base_ctr_type = "(\w+)", target_border_idx = (\d+), '
    r"prior_num = ([^,]+),"
)
_TABLE = re.compile(
    r"(\d+) :\s+catboost_ctr_value_table\(\s+index_hash_viewer = \{([^}]*)\},\s+target_classes_count = (\d+),"
    r"\s+counter_denominator = (\d+),\s+ctr_mean_history = \[[^\]]*\],\s+ctr_total = \[([^\]]*)\]"
)


def names_are_shared(document: Mapping[str, Any]) -> bool:
    """Tell whether statistics of different targets may have one name in a model's JSON."""
    statistics = document["features_info"].get("ctrs") or ()
    params = document["model_info"].get("params") or {}
    if (params.get("loss_function") or {}).get("type") in _SEVERAL:
        return any(one["ctr_type"] not in COUNTED for one in statistics)
    wanted = params.get("cat_feature_params") or {}
    lists = [wanted.get("simple_ctrs"), wanted.get("combinations_ctrs")]
    for specs in (*lists, *(wanted.get("per_feature_ctrs") or {}).values()):
        targets = {(spec["ctr_type"], str(spec.get("target_binarization"))) for spec in specs or ()}
        if len({kind for kind, _ in targets}) < len(targets):
            return True
    said = [(one["identifier"], *_described(one)) for one in statistics]
    return len(set(said)) < len(said)


def with_all_tables(document: Mapping[str, Any], model: Any, frame: pd.DataFrame) -> Mapping[str, Any]:
    """Give a document in which each statistic names a table of its own.

    Args:
        document: The model's JSON.
        model: The model.
        frame: Rows that it takes; one is enough.

    Raises:
        ModelError: Code does not tell all of the tables.
    """
    statistics = document["features_info"]["ctrs"]
    code = _code(model, frame)
    found = _STATISTIC.findall(code)
    tables = {number: _table(*rest) for number, *rest in _TABLE.findall(code)}
    told = [(kind, int(border), np.float32(prior)) for _, kind, border, prior in found]
    if (
        told != [_described(one) for one in statistics]
        or any(number not in tables for number, *_ in found)
        or any(one["ctr_type"] in MEANS for one in statistics)
    ):
        raise unknown("means of several targets among its statistics of categories")
    named = [{**one, "identifier": number} for one, (number, *_) in zip(statistics, found, strict=True)]
    features = {**document["features_info"], "ctrs": named}
    return {**document, "features_info": features, "ctr_data": tables}


def _described(statistic: Mapping[str, Any]) -> tuple[str, int, np.float32]:
    prior = np.float32(statistic["prior_numerator"])
    return statistic["ctr_type"], statistic.get("target_border_idx", 0), prior


def _code(model: Any, frame: pd.DataFrame) -> str:
    rows = catboost.Pool(frame.head(1), cat_features=list(model.get_cat_feature_indices()))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.py")
        model.save_model(str(file), format="python", pool=rows)
        return file.read_text()


def _table(places: str, classes: str, denominator: str, counts: str) -> Mapping[str, Any]:
    """A table in JSON's form: each hash before its counts."""
    width = max(1, int(classes))
    listed = [int(count) for count in counts.split(",")]
    flat: list[Any] = []
    for entry in places.split(","):
        key, place = entry.split(":")
        start = int(place) * width
        flat += [key.strip(), *listed[start : start + width]]
    return {"hash_map": flat, "hash_stride": width + 1, "counter_denominator": int(denominator)}
