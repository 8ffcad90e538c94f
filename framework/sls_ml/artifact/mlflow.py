"""Read an MLflow model folder without MLflow: which file holds the model, its signature, its example."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sls_ml.artifact.extras import need
from sls_ml.errors import ArtifactError, ModelError

if TYPE_CHECKING:
    import pandas as pd

_FLAVOURS = {
    "sklearn": ("pickled_model", None),
    "xgboost": ("data", ".ubj"),
    "lightgbm": ("data", ".txt"),
    "catboost": ("data", ".cbm"),
    "onnx": ("data", ".onnx"),
    "pytorch": ("model_data", None),
}
"""For each flavour the key that names the model's file, and what that file is, None as its suffix says."""

_PICKLES = (".pkl", ".pickle", ".joblib", ".skops")


@dataclass(frozen=True)
class Held:
    """The model within a folder.

    Attributes:
        file: The file that holds it.
        suffix: The suffix that says how to read it.
    """

    file: Path
    suffix: str


def held(folder: Path) -> Held:
    """Find the model's own file.

    Raises:
        ModelError: The folder is none of MLflow's, or holds a model of a flavour that has no graph.
        ArtifactError: It names a file outside of itself, or one that is not there.
    """
    flavours = _document(folder).get("flavors") or {}
    for name, (key, kind) in _FLAVOURS.items():
        flavour = flavours.get(name)
        if not isinstance(flavour, Mapping):
            continue
        file = _inside(folder, flavour.get(key))
        if file.is_dir():
            file = next((found for found in sorted(file.glob("model.*")) if found.is_file()), file)
        suffix = file.suffix.lower()
        return Held(file, kind if kind and suffix not in _PICKLES else suffix)
    raise ModelError(
        f"The folder holds a model of the flavours {', '.join(flavours) or 'of none'}.",
        code="model-format",
        where=str(folder / "MLmodel"),
        mend=f"log the model with one of the flavours {', '.join(_FLAVOURS)}",
    )


def rows(folder: Path, sample: object | None) -> Any:
    """Give the sample in the columns of the folder's signature; without one the folder's input example.

    Raises:
        ModelError: There is neither a sample nor an example.
    """
    from sls_ml.artifact.table import read_table

    document = _document(folder)
    names = _signature(document)
    if sample is None:
        frame = _example(folder, document)
        return frame.set_axis(names, axis=1) if names and frame.shape[1] == len(names) else frame
    frame, named = read_table(sample)
    if named and names and set(names) <= set(frame.columns):
        return frame[names]
    return sample


def _document(folder: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    file = folder / "MLmodel"
    if not file.is_file():
        raise ModelError(
            "The folder is not one of MLflow's models: it has no file MLmodel.",
            code="model-format",
            where=str(folder),
            mend="give the folder that mlflow.<flavour>.save_model wrote, or a model file",
        )
    try:
        document = YAML(typ="safe", pure=True).load(file.read_text())
    except (YAMLError, UnicodeDecodeError) as error:
        raise ModelError(
            "MLmodel is not readable.",
            code="model-corrupt",
            where=str(file),
            why=" ".join(str(error).split())[:300],
            mend="log the model again",
        ) from error
    return document if isinstance(document, dict) else {}


def _signature(document: Mapping[str, Any]) -> list[str] | None:
    """Give the names of the signature's columns, None where it has none."""
    text = (document.get("signature") or {}).get("inputs")
    try:
        inputs = json.loads(text) if isinstance(text, str) else []
    except ValueError:
        return None
    named = [entry["name"] for entry in inputs if isinstance(entry, dict) and "name" in entry]
    return [str(name) for name in named] if named and len(named) == len(inputs) else None


def _example(folder: Path, document: Mapping[str, Any]) -> pd.DataFrame:
    need("pandas")
    import pandas as pd

    name = (document.get("saved_input_example_info") or {}).get("artifact_path")
    if name is None:
        raise ModelError(
            "The folder has no input example, and no sample was given.",
            code="sample-missing",
            where=str(folder),
            mend="give a sample, or log the model with input_example=",
        )
    try:
        value = json.loads(_inside(folder, name).read_text())
    except ValueError as error:
        raise ModelError(
            "The folder's input example is not JSON.",
            code="sample-corrupt",
            where=str(folder),
            why=str(error),
            mend="give a sample, or log the model again",
        ) from error
    if isinstance(value, dict) and {"columns", "data"} <= value.keys():
        return pd.DataFrame(value["data"], columns=value["columns"])
    return pd.DataFrame(value["inputs"] if isinstance(value, dict) and "inputs" in value else value)


def _inside(folder: Path, name: object) -> Path:
    """Give a file that MLmodel names, which must lie in the folder, and not by a link."""
    file = folder / str(name)
    inside = file.resolve().is_relative_to(folder.resolve())
    if not isinstance(name, str) or not inside or file.is_symlink() or not file.exists():
        raise ArtifactError(
            f"MLmodel names {name!r}, which is not a file of its folder.",
            code="artifact-incomplete",
            where=str(folder / "MLmodel"),
            mend="copy the whole folder, or log the model again",
        )
    return file
