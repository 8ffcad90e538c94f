"""What CatBoost's models keep of categories, read from their JSON form: the answers behind each hash.

A model asks of a category whether it is a certain one (one-hot), or where a statistic of it lies among some
borders (CTR). Statistics are of one column or of a combination: of several columns, of answers to questions
about numbers, and of being a certain category. The arithmetic is that of the library's
`TStaticCtrProvider::CalcCtrs`, in float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sls_ml.artifact.exporters.catboost_hashes import Hashes, folded
from sls_ml.errors import ModelError

Bins = npt.NDArray[np.uint8]
Singles = npt.NDArray[np.float32]

_EMPTY = np.uint64((1 << 64) - 1)
"""Stands in the place of a hash where a table has a gap."""

COUNTED = ("Counter", "FeatureFreq")
"""Statistics that no target is in."""

MEANS = ("BinarizedTargetMeanValue",)
"""Statistics whose tables hold sums of numbers that are not whole."""


@dataclass(frozen=True)
class Combination:
    """What a hash is made of, in the order in which the values are folded into it.

    Attributes:
        categories: Numbers of categorical features.
        above: Numbers of float features, each with the border that it may be above.
        equal: Numbers of categorical features, each with the hash that it may be equal to.
    """

    categories: tuple[int, ...]
    above: tuple[tuple[int, float], ...] = ()
    equal: tuple[tuple[int, int], ...] = ()

    @property
    def columns(self) -> list[int]:
        """Numbers of all categorical features that are read."""
        return sorted({*self.categories, *(feature for feature, _ in self.equal)})

    @property
    def alone(self) -> bool:
        """Whether it is one category by itself."""
        return len(self.categories) == 1 and not self.above and not self.equal


@dataclass
class Asked:
    """What the trees ask of a combination: one column of answers for each of these.

    Attributes:
        ones: Hashes that a category may be equal to: the answer is 0 or 1.
        statistics: Entries of the document's `ctrs`: the answer is how many borders lie below.
    """

    ones: list[int] = field(default_factory=list)
    statistics: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def width(self) -> int:
        """The number of columns of answers."""
        return len(self.ones) + len(self.statistics)


@dataclass(frozen=True)
class Table:
    """The answers for the hashes that a model knows.

    Attributes:
        hashes: Sorted and distinct, one or more.
        bins: One row of answers for each of them.
        other: The answers for all other hashes.
    """

    hashes: Hashes
    bins: Bins
    other: Bins


class Questions:
    """All that the trees of a document ask.

    Attributes:
        asked: What is asked of each combination, in the order of the trees' columns.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        features = document["features_info"]
        self._floats = {entry["feature_index"]: entry for entry in features.get("float_features") or ()}
        self._tables = document.get("ctr_data") or {}
        self.asked: dict[Combination, Asked] = {}
        borders = [len(entry.get("borders") or ()) for entry in self._floats.values()]
        numbered = sum(borders)
        for entry in features.get("categorical_features") or ():
            values = entry.get("values") or ()
            numbered += len(values)
            if values:
                self._of(Combination((entry["feature_index"],))).ones += values
        self._numbered: dict[int, tuple[Combination, int, int, float]] = {}
        for statistic in features.get("ctrs") or ():
            combination = _combination(statistic["elements"])
            asked = self._of(combination)
            for at, border in enumerate(statistic["borders"]):
                self._numbered[numbered + at] = (combination, asked.width, at, border)
            asked.statistics.append(statistic)
            numbered += len(statistic["borders"])
        widths = [len(self._floats), *(asked.width for asked in self.asked.values())]
        self._first = dict(zip(self.asked, np.cumsum(widths).tolist(), strict=False))

    def _of(self, combination: Combination) -> Asked:
        return self.asked.setdefault(combination, Asked())

    @property
    def floats(self) -> list[int]:
        """Positions in the model's input of the numbers, in the order of the trees' columns."""
        return [entry["flat_feature_index"] for entry in self._floats.values()]

    def float_column(self, feature: int) -> int:
        """The column of the trees that holds a float feature."""
        return list(self._floats).index(feature)

    def missing_is_above(self, feature: int) -> bool:
        """Whether a missing number counts as above all borders."""
        return bool(self._floats[feature]["nan_value_treatment"] == "AsTrue")

    def of_split(self, split: Mapping[str, Any]) -> tuple[int, float, bool]:
        """Give the trees' column, the bound up to which a row goes left, and whether NaN goes left.

        Raises:
            ModelError: The split is of a kind that is not known.
        """
        match split.get("split_type", "FloatFeature"):
            case "FloatFeature":
                feature = split["float_feature_index"]
                return (
                    self.float_column(feature),
                    float(np.float32(split["border"])),
                    not self.missing_is_above(feature),
                )
            case "OneHotFeature":
                combination = Combination((split["cat_feature_index"],))
                place = self.asked[combination].ones.index(split["value"])
                return self._first[combination] + place, 0.5, True
            case "OnlineCtr" if (found := self._numbered.get(split["split_index"])) is not None:
                combination, place, at, border = found
                if border == split["border"]:
                    return self._first[combination] + place, at + 0.5, True
        raise unknown(f"a split of the kind {split.get('split_type')!r} that its own list does not have")

    def table(self, combination: Combination) -> Table:
        """Give what the model knows of a combination."""
        asked = self.asked[combination]
        known = [self._statistic(statistic) for statistic in asked.statistics]
        ones = np.asarray(asked.ones, dtype=np.int64).view(np.uint64)
        ones = folded(np.zeros_like(ones), ones)
        hashes = np.unique(np.concatenate([ones, *(own for own, _, _ in known)]))
        other = np.zeros(asked.width, dtype=np.uint8)
        other[len(ones) :] = [rest for _, _, rest in known]
        bins = np.tile(other, (len(hashes), 1))
        bins[np.searchsorted(hashes, ones), np.arange(len(ones))] = 1
        for at, (own, passed, _) in enumerate(known, start=len(ones)):
            bins[np.searchsorted(hashes, own), at] = passed
        keep = (bins != other).any(axis=1)
        keep[:1] |= not keep.any()  # a look-up has one key at least
        return Table(hashes[keep], bins[keep], other)

    def _statistic(self, statistic: Mapping[str, Any]) -> tuple[Hashes, Bins, int]:
        """Give hashes, the borders that each passes, and the borders that all others pass."""
        table = self._tables[statistic["identifier"]]
        listed = np.asarray(table["hash_map"], dtype=object).reshape(-1, table["hash_stride"])
        hashes = listed[:, 0].astype(np.uint64)
        listed, hashes = listed[hashes != _EMPTY], hashes[hashes != _EMPTY]
        good, total, without = _counts(statistic, listed[:, 1:].astype(np.float64), table)
        good, total = np.append(good, 0.0), np.append(total, without)
        value = _value(statistic, good.astype(np.float32), total.astype(np.float32))
        borders = np.asarray(statistic["borders"], dtype=np.float32)
        passed = np.searchsorted(borders, value, side="left").astype(np.uint8)
        return hashes, passed[:-1], int(passed[-1])


def _combination(elements: Sequence[Mapping[str, Any]]) -> Combination:
    categories, above, equal = [], [], []
    for element in elements:
        match element["combination_element"]:
            case "cat_feature_value":
                categories.append(element["cat_feature_index"])
            case "float_feature":
                above.append((element["float_feature_index"], element["border"]))
            case "cat_feature_exact_value":
                equal.append((element["cat_feature_index"], element["value"]))
            case other:
                raise unknown(f"combinations with {other!r}")
    return Combination(tuple(categories), tuple(above), tuple(equal))


def _counts(statistic: Mapping[str, Any], counts: Any, table: Mapping[str, Any]) -> tuple[Any, Any, float]:
    """Give what a statistic counts, of how many, and of how many it counts none for all other hashes."""
    target = statistic.get("target_border_idx", 0)
    match statistic["ctr_type"]:
        case kind if kind in COUNTED:
            denominator = float(table["counter_denominator"])
            return counts[:, 0], np.full(len(counts), denominator), denominator
        case kind if kind in MEANS:
            return counts[:, 0], counts[:, 1], 0.0
        case "Buckets":
            return counts[:, target], counts.sum(axis=1), 0.0
        case "Borders":
            first = target + 1 if counts.shape[1] > 2 else 1
            return counts[:, first:].sum(axis=1), counts.sum(axis=1), 0.0
        case kind:
            raise unknown(f"statistics of the kind {kind!r}")


def _value(statistic: Mapping[str, Any], good: Singles, total: Singles) -> Singles:
    prior, weight, shift, scale = (
        np.float32(statistic[name])
        for name in ("prior_numerator", "prior_denomerator", "shift", "scale")  # spelt so in the document
    )
    found: Singles = ((good + prior) / (total + weight) + shift) * scale
    return found


def unknown(what: str) -> ModelError:
    """The refusal of what has no exact form."""
    return ModelError(
        f"The model has {what}, which has no exact ONNX form here.",
        code="model-unsupported",
        where="categorical features",
        mend="train with simple_ctr='Counter' and combinations_ctr='Counter', or with a one_hot_max_size "
        "above the number of categories",
    )
