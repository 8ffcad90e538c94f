"""Pack columns into the flat tensors of a graph, row by row."""

from __future__ import annotations

from array import array

from sls_ml_runtime.signature import TYPECODES, Matrix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sls_ml_runtime.answer import Arrays
    from sls_ml_runtime.signature import Columns


def pack(tensor: Mapping[str, Any], columns: Columns, rows: int) -> array[Any] | list[str]:
    """The flat values of one graph input, row-major.

    Args:
        tensor: The tensor's entry in the manifest.
        columns: All columns of the request.
        rows: The number of rows.

    Returns:
        ``rows * len(tensor["columns"])`` values: an array in the tensor's dtype, or a list of str.
    """
    chosen = tensor["columns"]
    if tensor["dtype"] == "string":
        if len(chosen) == 1:
            return list(columns[chosen[0]][1])
        texts = [""] * (rows * len(chosen))
        for offset, position in enumerate(chosen):
            texts[offset :: len(chosen)] = columns[position][1]
        return texts
    typecode = TYPECODES[tensor["dtype"]]
    if isinstance(columns, Matrix) and chosen == [*range(columns.width)]:
        return columns.flat if typecode == "d" else array(typecode, columns.flat)
    if rows == 1:
        return array(typecode, [columns[position][1][0] for position in chosen])
    if len(chosen) == 1:
        return array(typecode, columns[chosen[0]][1])
    flat = array(typecode, bytes(array(typecode).itemsize * rows * len(chosen)))
    for offset, position in enumerate(chosen):
        column: Any = columns[position][1]
        flat[offset :: len(chosen)] = array(typecode, column)
    return flat


def no_rows(manifest: Mapping[str, Any]) -> Arrays:
    """The arrays for a request without rows, which many graphs cannot compute."""
    arrays: Arrays = {}
    for output in manifest["outputs"]:
        shape = (0,) if output["columns"] is None else (0, output["columns"])
        dtype = output["dtype"]
        arrays[output["tensor"]] = (dtype, shape, [] if dtype == "string" else array(TYPECODES[dtype]))
    return arrays
