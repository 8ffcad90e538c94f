"""Bring a trained model from a file, without running its code unless the user trusts it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sls_ml.artifact import tree_nodes
from sls_ml.artifact.exporters.libraries import library
from sls_ml.artifact.extras import need
from sls_ml.errors import ModelError, SlsMlError

_KNOWN = ".skops, .joblib, .pkl, .onnx, .ubj, .json, .txt, .cbm, .pt2, .pt and MLflow's folders"
_TORCH = (".pt2", ".pt", ".pth")
_EXTRAS = ("catboost", "lightgbm", "torch", "xgboost")
"""Extras that have the name of the library which they bring."""
_LIBRARIES = {".ubj": "xgboost", ".json": "xgboost", ".txt": "lightgbm", ".cbm": "catboost"}


def extra_of(model: Any) -> str:
    """Give the extra that reads and converts a model, by the suffix of its file or the library of its class.

    Raises:
        ModelError: It is the folder of no model.
    """
    if isinstance(model, (str, Path)):
        path = Path(model)
        if path.is_dir():
            from sls_ml.artifact import mlflow

            suffix = mlflow.held(path).suffix
        else:
            suffix = path.suffix.lower()
        found = "torch" if suffix in _TORCH else _LIBRARIES.get(suffix, "sklearn")
    else:
        found = type(model).__module__.partition(".")[0]
    return found if found in _EXTRAS else "sklearn"


def read_model(path: Path, *, trust: bool) -> Any:
    """Read a model from its file, or from the folder that MLflow keeps it in.

    Args:
        path: The file or folder.
        trust: Whether code that the file brings may run: needed for any pickle, and for a .skops file with
            types that skops does not know.

    Returns:
        A fitted estimator, or a model that brings its graph.

    Raises:
        ModelError: The file is absent, corrupt, not trusted, or was written by another scikit-learn.
        ArtifactError: An .onnx file names data that it does not have, or outside its folder.
        ExternalError: The extra that reads it is not installed.
    """
    if path.is_dir():
        from sls_ml.artifact import mlflow

        held = mlflow.held(path)
        return _read_file(held.file, trust=trust, suffix=held.suffix)
    if not path.is_file():
        raise ModelError(
            "The model file does not exist.",
            code="model-missing",
            where=str(path),
            mend="check the path of `source`, or train and save the model first",
        )
    return _read_file(path, trust=trust, suffix=path.suffix.lower())


def _read_file(path: Path, *, trust: bool, suffix: str) -> Any:
    match suffix:
        case ".skops":
            return _read(path, lambda: _load_skops(path, trust))
        case ".joblib" | ".pkl" | ".pickle":
            _trusted(path, trust)
            return _read(path, lambda: _load_pickle(path))
        case ".onnx":
            need("onnx")
            from sls_ml.artifact.exporters import onnx

            return onnx.read(path)
        case _ if suffix in _TORCH:
            _trusted(path, trust, instead="export the model to .onnx")  # PyTorch unpickles parts of .pt2 too
            need("torch", extra="torch")
            from sls_ml.artifact.exporters import torch

            return torch.read_program(path) if suffix == ".pt2" else torch.read_module(path)
        case _ if suffix in _LIBRARIES:
            return _of_library(_LIBRARIES[suffix], path)
        case _:
            raise ModelError(
                f"{path.name} is not a model file that this version reads.",
                code="model-format",
                where=str(path),
                mend=f"save the model as one of {_KNOWN}",
            )


def _trusted(
    path: Path, trust: bool, *, instead: str = "save the model with skops.io.dump as .skops"
) -> None:
    if not trust:
        raise ModelError(
            f"{path.name} holds a pickle, and unpickling runs whatever code is in it.",
            code="model-untrusted",
            where=str(path),
            mend=f"set `trust: true` if the file is yours, or {instead}",
        )


def _of_library(name: str, path: Path) -> Any:
    found = library(name)
    if found is None:
        raise ValueError(name)
    try:
        return found.read(path)
    except SlsMlError:
        raise
    except Exception as error:
        raise _corrupt(path, error) from error


def _read(path: Path, load: Any) -> Any:
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", InconsistentVersionWarning)
        try:
            model = load()
        except InconsistentVersionWarning as warning:
            raise ModelError(
                f"The model was saved by scikit-learn {warning.original_sklearn_version}, "
                f"here is {warning.current_sklearn_version}.",
                code="model-version",
                where=str(path),
                why=f"{warning.estimator_name} may not predict the same in another version",
                mend=f"pip install scikit-learn=={warning.original_sklearn_version}, or train again",
            ) from warning
        except ModelError:
            raise
        except ModuleNotFoundError as error:
            raise _without_module(path, error) from error
        except Exception as error:
            raise _corrupt(path, error) from error
    if not (hasattr(model, "predict") or hasattr(model, "transform")):
        raise ModelError(
            f"{path.name} holds a {type(model).__name__}, not a model.",
            code="model-format",
            where=str(path),
            mend="save the fitted estimator or pipeline itself",
        )
    if wrong := tree_nodes.fault(model):
        raise ModelError(
            f"{path.name} holds a tree that no training makes.",
            code="model-corrupt",
            where=str(path),
            why=f"{wrong}: scikit-learn would follow it in memory, unchecked",
            mend="the file was damaged or tampered with: save the model again",
        )
    return model


def _without_module(path: Path, error: ModuleNotFoundError) -> ModelError:
    library = (error.name or "").partition(".")[0]
    if library in _EXTRAS:
        mend = f"pip install 'sls-ml[{library}]'"
    else:
        mend = "install what the model was trained with, or put its own code beside the file or on PYTHONPATH"
    return ModelError(
        f"The model needs the module {error.name!r}, which is not here.",
        code="model-module",
        where=str(path),
        mend=mend,
    )


def untrusted_types(path: Path) -> list[str]:
    """The types in a .skops file that skops does not vouch for, sorted; nothing is loaded.

    Raises:
        ModelError: The file is corrupt.
    """
    io = need("skops.io")
    try:
        return sorted(io.get_untrusted_types(file=path))
    except Exception as error:
        raise _corrupt(path, error) from error


def _load_skops(path: Path, trust: bool) -> Any:
    unknown = untrusted_types(path)
    if unknown and not trust:
        raise ModelError(
            f"{path.name} holds types that skops does not vouch for: {', '.join(unknown)}.",
            code="model-untrusted",
            where=str(path),
            why="loading them takes their state from the file; scikit-learn's Tree, of forests too, is one",
            mend="set `trust: true` if the file is your own",
        )
    with _code_beside(path) if unknown else nullcontext():
        return need("skops.io").load(path, trusted=unknown)


def _load_pickle(path: Path) -> Any:
    with _code_beside(path):
        return need("joblib").load(path)


@contextmanager
def _code_beside(path: Path) -> Iterator[None]:
    """Let a trusted file import the modules beside it, where they hide no others."""
    folder = str(path.resolve().parent)
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _corrupt(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{path.name} cannot be read as a model.",
        code="model-corrupt",
        where=str(path),
        why=_one_line(error),
        mend="the file may be cut short or written by another version: save the model again",
    )


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")[:300]
