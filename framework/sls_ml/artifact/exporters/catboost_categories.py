"""Gives CatBoost's trees their columns: numbers, and the answers that a model knows by hashes of categories.

A model holds hashes of its categories and combinations, not themselves. So the sample must show them: its
values are hashed as CatBoost does, and each hash that matters must be found. A graph looks texts up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
import pandas as pd

from sls_ml.artifact import packed
from sls_ml.artifact.converters import Graph, Tensor
from sls_ml.artifact.converters.ensembles import Ints
from sls_ml.artifact.exporters.catboost_hashes import Hashes, folded, of_texts
from sls_ml.artifact.exporters.catboost_tables import Bins, Combination, Questions, Table
from sls_ml.errors import ModelError

_TRIED = 1 << 22
"""The most combinations that are tried, where the sample's own rows do not show all."""

_CHUNK = 1 << 20
_MOST_KEYS = 1 << 62


@dataclass(frozen=True)
class Seen:
    """The rows of the sample.

    Attributes:
        frame: The columns of the model, in its order.
        places: Positions of the categorical columns, in the order in which the model numbers them.
    """

    frame: pd.DataFrame
    places: tuple[int, ...]

    @cached_property
    def values(self) -> list[Column]:
        """The categorical columns."""
        return [Column.of(self.frame.iloc[:, place]) for place in self.places]


@dataclass(frozen=True)
class Column:
    """A categorical column of the sample.

    Attributes:
        name: Its name.
        code: For each row the number of its text, int64 ``[rows]``.
        texts: The distinct texts, as CatBoost spells the values.
        hashes: The hash of each text.
    """

    name: str
    code: Ints
    texts: list[str]
    hashes: Hashes

    @staticmethod
    def of(column: pd.Series[Any]) -> Column:
        """Take a column of texts, integers or booleans; CatBoost spells the last 1 and 0."""
        plain = column.astype("int64") if pd.api.types.is_bool_dtype(column.dtype) else column
        code, distinct = pd.factorize(plain.astype(object))
        texts = [str(value) for value in distinct]
        return Column(str(column.name), code.astype(np.int64), texts, of_texts(texts))


@dataclass(frozen=True)
class Known:
    """What the model knows of a combination, with the values behind the hashes.

    Attributes:
        table: The answers.
        place: Rows of the table, int64 ``[entries]``; several values may share a hash.
        codes: The numbers of the values of each entry, int64 ``[entries, parts of the combination]``.
    """

    table: Table
    place: Ints
    codes: Ints

    @property
    def bins(self) -> Bins:
        """The answers of each entry."""
        return self.table.bins[self.place]


class Columns:
    """Builds the columns that the trees look at.

    Args:
        questions: What the trees ask.
        seen: The rows of the sample.
        inputs: One tensor ``[N, 1]`` for each of the model's own columns.
        graph: The graph to add to.
    """

    def __init__(self, questions: Questions, seen: Seen, inputs: Sequence[Tensor], graph: Graph) -> None:
        self._questions, self._seen, self._inputs, self._graph = questions, seen, inputs, graph
        self._known = {
            combination: _explained(questions, combination, seen) for combination in questions.asked
        }
        self._texts = self._texts_by_column()
        self._ids: dict[int, Tensor] = {}

    def tensors(self) -> list[Tensor]:
        """Give the answers to what is asked of each combination, float64 ``[N, answers]`` each."""
        return [
            self._alone(combination) if combination.alone else self._joined(combination)
            for combination in self._known
        ]

    def _texts_by_column(self) -> dict[int, tuple[Ints, int]]:
        """Number the texts that matter in each column; those that are never told apart get one number.

        Returns:
            For each column, the number of each of the sample's texts, and how many numbers there are: that
            many is the number of all other texts.
        """
        found = {}
        for column in {column for combination in self._known for column in combination.columns}:
            size = len(self._seen.values[column].texts)
            own = self._known.get(Combination((column,)))
            joined = [
                (combination, known)
                for combination, known in self._known.items()
                if column in combination.columns and not combination.alone
            ]
            matters = np.zeros(size, dtype=bool)
            if own is not None:
                matters[own.codes[:, 0]] = True
            for combination, known in joined:
                if column in combination.categories:
                    matters[known.codes[:, combination.categories.index(column)]] = True
                for value in (value for feature, value in combination.equal if feature == column):
                    matters |= self._seen.values[column].hashes == _word(value)
            number = np.full(size, -1, dtype=np.int64)
            if joined or own is None:
                number[matters] = np.arange(matters.sum())
            else:
                _, number[own.codes[:, 0]] = np.unique(own.bins, axis=0, return_inverse=True)
            count = int(number.max(initial=-1)) + 1
            number[number < 0] = count
            found[column] = (number, count)
        return found

    def _id(self, column: int) -> Tensor:
        """The number of each row's text, int64 ``[N]``."""
        if column not in self._ids:
            number, count = self._texts[column]
            source = self._inputs[self._seen.places[column]]
            keys: Any = self._seen.values[column].texts
            if source.kind != "string":
                source, keys = source.cast("int64"), [int(text) for text in keys]
            pairs = [(key, at) for key, at in zip(keys, number.tolist(), strict=True) if at < count]
            flat = source.reshape(-1)
            self._ids[column] = _looked_up(
                self._graph, flat, [key for key, _ in pairs], [at for _, at in pairs], count
            )
        return self._ids[column]

    def _alone(self, combination: Combination) -> Tensor:
        (column,) = combination.categories
        known = self._known[combination]
        number, count = self._texts[column]
        rows = np.tile(known.table.other, (count + 1, 1))
        rows[number[known.codes[:, 0]]] = known.bins
        return self._rows(rows, self._id(column))

    def _joined(self, combination: Combination) -> Tensor:
        known = self._known[combination]
        parts = [(self._id(column), *self._texts[column]) for column in combination.categories]
        bits = np.arange(2)
        parts += [(self._above(*above), bits, 1) for above in combination.above]
        parts += [(self._equal(*equal), bits, 1) for equal in combination.equal]
        key: Tensor | None = None
        keys = np.zeros(len(known.place), dtype=np.int64)
        for (tensor, number, count), code in zip(parts, known.codes.T, strict=True):
            keys = keys * (count + 1) + number[code]
            key = tensor if key is None else key * (count + 1) + tensor
        assert key is not None  # noqa: S101 - a combination has parts
        rows, group = np.unique(known.bins, axis=0, return_inverse=True)
        order = np.argsort(keys)
        found = _looked_up(self._graph, key, keys[order].tolist(), group[order].tolist(), len(rows))
        return self._rows(np.vstack([rows, known.table.other]), found)

    def _above(self, feature: int, border: float) -> Tensor:
        place = self._questions.floats[self._questions.float_column(feature)]
        number = self._inputs[place].cast("float64").cast("float32").reshape(-1)
        found = number > np.float32(border)
        if self._questions.missing_is_above(feature):
            found = found | self._graph.op("IsNaN", number)
        return found.cast("int64")

    def _equal(self, column: int, value: int) -> Tensor:
        number, count = self._texts[column]
        hit = np.zeros(count + 1, dtype=np.int64)
        hit[number[self._seen.values[column].hashes == _word(value)]] = 1
        return self._graph.pick(hit, self._id(column))

    def _rows(self, rows: Bins, at: Tensor) -> Tensor:
        found = self._graph.pick(rows.astype(np.float32), at)
        found.width = rows.shape[1]
        return found.cast("float64")


def _explained(questions: Questions, combination: Combination, seen: Seen) -> Known:
    """Find the values behind each hash of a combination that matters.

    Raises:
        ModelError: Some are not in the sample.
    """
    table = questions.table(combination)
    parts = [seen.values[column].hashes for column in combination.categories]
    bit = np.arange(2, dtype=np.uint64)
    parts += [bit] * (len(combination.above) + len(combination.equal))
    sizes = [len(part) for part in parts]
    total = float(np.prod([size + 1.0 for size in sizes]))
    if total > _MOST_KEYS:
        raise _too_many(combination, seen)
    places, found = [np.zeros(0, dtype=np.int64)], [np.zeros((0, len(parts)), dtype=np.int64)]
    left = np.ones(len(table.hashes), dtype=bool)
    for codes in _candidates(questions, combination, seen, sizes):
        hashes = np.zeros(len(codes), dtype=np.uint64)
        for part, code in zip(parts, codes.T, strict=True):
            hashes = folded(hashes, part[code])
        place = np.minimum(np.searchsorted(table.hashes, hashes), len(table.hashes) - 1)
        hit = (table.hashes[place] == hashes) & left[place]
        places.append(place[hit])
        found.append(codes[hit])
        left[place[hit]] = False
        if not left.any():
            break
    if left.any():
        raise _unexplained(combination, seen, int(left.sum()), len(left))
    return Known(table, np.concatenate(places), np.concatenate(found))


def _candidates(
    questions: Questions, combination: Combination, seen: Seen, sizes: Sequence[int]
) -> Iterator[Ints]:
    """Give values that a combination may have: those of the sample's rows, then all that there can be."""
    if combination.alone:
        yield np.arange(sizes[0])[:, None]
        return
    codes = [seen.values[column].code for column in combination.categories]
    for feature, border in combination.above:
        column = seen.frame.iloc[:, questions.floats[questions.float_column(feature)]]
        number = column.to_numpy(dtype=np.float64).astype(np.float32)
        missing = np.isnan(number) & questions.missing_is_above(feature)
        codes.append(((number > np.float32(border)) | missing).astype(np.int64))
    for feature, value in combination.equal:
        own = seen.values[feature]
        codes.append((own.hashes == _word(value))[own.code].astype(np.int64))
    joined = np.ravel_multi_index(codes, sizes)
    yield _apart(np.unique(joined), sizes)
    total = int(np.prod([float(size) for size in sizes]))
    if total <= _TRIED:
        for start in range(0, total, _CHUNK):
            yield _apart(np.arange(start, min(start + _CHUNK, total)), sizes)


def _apart(joined: Ints, sizes: Sequence[int]) -> Ints:
    return np.stack(np.unravel_index(joined, tuple(sizes)), axis=1).astype(np.int64)


def _word(value: int) -> np.uint64:
    """A hash of 32 bits with its sign, as 64 bits."""
    return np.uint64(value % (1 << 64))


def _looked_up(graph: Graph, flat: Tensor, keys: Sequence[Any], values: Sequence[int], other: int) -> Tensor:
    """The number beside each value among the keys, int64 in the shape of `flat`; `other` where it is none."""
    node = onnx.NodeProto(op_type="LabelEncoder", domain="ai.onnx.ml", name=graph.name("LabelEncoder"))
    if flat.kind == "string":
        listed = node.attribute.add(name="keys_strings", type=onnx.AttributeProto.STRINGS)
        listed.strings.extend(key.encode() for key in keys)
    else:
        node.attribute.add().ParseFromString(packed.ints("keys_int64s", np.asarray(keys, dtype=np.int64)))
    node.attribute.add().ParseFromString(packed.ints("values_int64s", np.asarray(values, dtype=np.int64)))
    node.attribute.add(name="default_int64", type=onnx.AttributeProto.INT, i=other)
    found = Tensor(graph, graph.name("number"), "int64", flat.width)
    node.input.append(flat.name)
    node.output.append(found.name)
    graph.add(node, 2)
    return found


def _named(combination: Combination, seen: Seen) -> str:
    return " and ".join(repr(seen.values[column].name) for column in combination.columns)


def _unexplained(combination: Combination, seen: Seen, count: int, of: int) -> ModelError:
    what = "categories" if combination.alone else "combinations"
    return ModelError(
        f"The sample does not show {count} of the {of} {what} of {_named(combination, seen)} "
        "that the model tells apart.",
        code="sample-categories",
        where=_named(combination, seen),
        why="CatBoost keeps hashes of categories, not themselves, so that the sample must tell what they are",
        mend="give a sample that has every category, such as the rows that the model was trained on",
    )


def _too_many(combination: Combination, seen: Seen) -> ModelError:
    return ModelError(
        f"The combinations of {_named(combination, seen)} are too many to be numbered.",
        code="model-unsupported",
        where=_named(combination, seen),
        mend="train with a smaller max_ctr_complexity, such as 1",
    )
