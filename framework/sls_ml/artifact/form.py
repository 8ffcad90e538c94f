"""The form of a manifest of format 1: an artifact of another form is refused before anything reads it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Dtype = Literal["float64", "float32", "int64", "bool", "string"]
_Scalar = bool | int | float | str


class _Part(BaseModel):
    """What is not named here is left to the versions that know it."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Input(_Part):
    name: str
    dtype: Dtype
    nullable: bool
    finite: bool
    range: list[float | None] | None = Field(min_length=2, max_length=2)
    categories: list[Any] | None


class _Tensor(_Part):
    name: str
    dtype: Dtype
    columns: list[int]
    rank: Literal[1, 2]


class _Output(_Part):
    key: Literal["label", "probability", "value", "score", "transformed"]
    tensor: str
    columns: int | None


class _File(_Part):
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class _Manifest(_Part):
    name: str = Field(pattern="^[a-z][a-z0-9-]*$")
    kind: Literal["classifier", "regressor", "outlier_detector", "transformer", "clusterer"]
    inputs: list[_Input]
    tensors: list[_Tensor]
    outputs: list[_Output] = Field(min_length=1)
    classes: list[_Scalar | list[_Scalar]] | None
    files: dict[str, _File] = Field(min_length=1)
    engines: list[Literal["lite", "ort_capi", "ort_python"]] = Field(min_length=1)
    example: list[dict[str, Any]]
    source: dict[str, str]


def fault(value: object) -> str | None:
    """Give what is wrong with the first wrong part of a manifest, None where all of it has the right form."""
    try:
        manifest = _Manifest.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "manifest.json"
        return f"{place}: {first['msg']}"
    for name in manifest.files:
        if "/" in name or "\\" in name or "\0" in name or name in (".", "..", ""):
            return f"files: {name!r} is not a plain file name"
    width = len(manifest.inputs)
    for tensor in manifest.tensors:
        if not all(0 <= column < width for column in tensor.columns):
            return f"tensors: {tensor.name!r} reads columns that are no inputs"
    return None
