"""Turn an engine's arrays into the plain answer: the same keys over HTTP, in batches and in tests."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping, Sequence
    from typing import Any

    Array = tuple[str, tuple[int, ...], "array[Any] | list[str]"]
    Arrays = dict[str, Array]

_INFINITY = float("inf")


def answer(manifest: Mapping[str, Any], digest: str, arrays: Arrays) -> dict[str, Any]:
    """The plain answer for an engine's arrays.

    Args:
        manifest: The artifact's manifest.
        digest: The artifact's digest; its first 12 hex digits identify the model in the answer.
        arrays: Output tensor name to ``(dtype, shape, flat values)``.

    Returns:
        ``{"model", "digest", "classes"?, <key>: [...]}`` with the keys of the manifest's outputs: a flat
        list with one entry per row, or a list of rows where the output has columns. Where a row has several
        labels, `classes` has a list for each label, and so has each row of probabilities. A result that is
        not finite is None, since JSON has no such number.
    """
    result: dict[str, Any] = {"model": manifest["name"], "digest": digest[:12]}
    classes = manifest.get("classes")
    if classes is not None:
        result["classes"] = classes
    for output in manifest["outputs"]:
        dtype, _, flat = arrays[output["tensor"]]
        values = plain(dtype, flat)
        if output.get("positions") and classes is not None:
            values = [classes[position] for position in values]
        columns = output["columns"]
        if columns is not None:
            values = list(map(list, zip(*[iter(values)] * columns, strict=True)))
            if output["key"] == "probability" and classes and type(classes[0]) is list:
                values = [_by_label(row, classes) for row in values]
        result[output["key"]] = values
    return result


def _by_label(row: list[Any], classes: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """A row's probabilities, those of each label in a list of their own."""
    rest = iter(row)
    return [[next(rest) for _ in each] for each in classes]


def plain(dtype: str, flat: array[Any] | Sequence[str]) -> list[Any]:
    """Flat values as Python values that JSON knows; a number that is not finite becomes None."""
    if dtype == "bool":
        return [value != 0 for value in flat]
    values: list[Any] = list(flat)
    if dtype.startswith("float") and not -_INFINITY < sum(values) < _INFINITY:
        return [value if -_INFINITY < value < _INFINITY else None for value in values]
    return values
