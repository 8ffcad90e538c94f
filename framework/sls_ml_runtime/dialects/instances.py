"""Rows as MLflow, TensorFlow Serving and SageMaker send them, and predictions as they expect them.

A row may be an object of names and values, a list of values in the model's order, or, for a model with one
input, the value itself. SageMaker wraps it: ``{"features": [...]}`` or
``{"data": {"features": {"values": [...]}}}``.
"""

from __future__ import annotations

from sls_ml_runtime.errors import HookError, Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from sls_ml_runtime.signature import Signature

    Rows = list[dict[str, Any]]
    Table = dict[str, list[Any]]

_WRAPPERS = ("data", "features", "values")
_MAIN = ("label", "value", "transformed", "score")
_ABOUT = {"model", "digest", "classes"}


def read_rows(instances: Any, signature: Signature) -> Rows | Table:
    """Rows, or columns by name, of a list of instances.

    Raises:
        Refusal: 422 with the row that is neither object, list nor value, or unlike the first.
    """
    if type(instances) is not list:
        raise Refusal(422, "not-a-list", "the rows must be a list")
    rows = instances
    if dict in {*map(type, instances)}:
        rows = [_unwrapped(instance, signature) for instance in instances]
    if not rows:
        return []
    if type(rows[0]) is dict:
        for position, row in enumerate(rows):
            if type(row) is not dict:
                raise Refusal(422, "not-an-object", "this row is not an object as the first is", row=position)
        return rows
    if type(rows[0]) is not list:
        rows = [[row] for row in rows]
    return read_matrix(rows, [field.name for field in signature.inputs])


def read_matrix(rows: list[Any], names: list[str]) -> Table:
    """Columns by name of rows that are lists of values.

    Raises:
        Refusal: 422 with the row that has another number of values, or a name that is there twice.
    """
    count = len(names)
    for position, row in enumerate(rows):
        if type(row) is not list:
            raise Refusal(422, "not-a-list", "this row must be a list of values", row=position)
        if len(row) != count:
            message = f"the row has {len(row)} values, not {count}"
            raise Refusal(422, "value-count", message, row=position)
    if len({*names}) != count:
        twice = next(name for position, name in enumerate(names) if name in names[:position])[:80]
        raise Refusal(422, "duplicate-column", f"the column {twice!a} is there more than once", twice)
    columns = zip(*rows, strict=True) if rows else [()] * count
    return dict(zip(names, map(list, columns), strict=True))


def read_columns(table: dict[str, Any]) -> Table:
    """A table whose columns are lists.

    Raises:
        Refusal: 422 with the column that is something else.
    """
    for name, values in table.items():
        if type(values) is not list:
            message = f"the values of {name[:80]!a} must be a list, one for each row"
            raise Refusal(422, "not-a-list", message, name[:80])
    return {name: _flat(values) for name, values in table.items()}


def main_key(answer: Mapping[str, Any]) -> str | None:
    """The key of a plain answer that is the prediction itself, None when a hook took it away."""
    return next((key for key in _MAIN if key in answer), None)


def records(answer: Mapping[str, Any], rows: int) -> list[dict[str, Any]]:
    """A plain answer as one object for each row, without what is said of the model.

    Raises:
        HookError: A hook made a key that has not one value for each row.
    """
    columns = {key: values for key, values in answer.items() if key not in _ABOUT}
    for key, values in columns.items():
        if not isinstance(values, list) or len(values) != rows:
            raise HookError(f"after(result) must give one value for each row in {key!a}")
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _unwrapped(instance: Any, signature: Signature) -> Any:
    for wrapper in _WRAPPERS:
        if type(instance) is dict and len(instance) == 1 and wrapper not in signature.names:
            instance = instance.get(wrapper, instance)
    return instance


def _flat(values: Sequence[Any]) -> list[Any]:
    """A column of shape [rows, 1] as one of shape [rows]."""
    if values and all(type(value) is list and len(value) == 1 for value in values):
        return [value[0] for value in values]
    return list(values)
