"""Bring a trained model from a file, without running its code unless the user trusts it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from sls_ml.artifact.extras import need
from sls_ml.errors import ModelError

_PICKLES = (".joblib", ".pkl", ".pickle")
_TO_COME = {
    ".ubj": "xgboost",
    ".json": "xgboost",
    ".txt": "lightgbm",
    ".cbm": "catboost",
    ".pt": "torch",
    ".onnx": "onnx",
}


def read_model(path: Path, *, trust: bool) -> Any:
    """Read a fitted estimator from a .skops, .joblib or .pkl file.

    Args:
        path: The file.
        trust: Whether code that the file brings may run: needed for any pickle, and for a .skops file with
            types that skops does not know.

    Raises:
        ModelError: The file is absent, corrupt, not trusted, or was written by another scikit-learn.
    """
    if path.is_dir():
        raise ModelError(
            "A folder is not a model file that this version reads.",
            code="model-format",
            where=str(path),
            mend="MLflow folders come with the extra 'mlflow'; give a .skops or .joblib file",
        )
    if not path.is_file():
        raise ModelError(
            "The model file does not exist.",
            code="model-missing",
            where=str(path),
            mend="check the path of `source`, or train and save the model first",
        )
    suffix = path.suffix.lower()
    if suffix == ".skops":
        return _read(path, lambda: _load_skops(path, trust))
    if suffix in _PICKLES:
        if not trust:
            raise ModelError(
                f"{path.name} is a pickle, and unpickling runs whatever code the file holds.",
                code="model-untrusted",
                where=str(path),
                mend="set `trust: true` if the file is yours, or save the model with skops.io.dump as .skops",
            )
        return _read(path, lambda: _load_pickle(path))
    extra = _TO_COME.get(suffix)
    known = ".skops, .joblib and .pkl"
    raise ModelError(
        f"{path.name} is not a model file that this version reads; it reads {known}.",
        code="model-format",
        where=str(path),
        mend=f"support for it comes with the extra {extra!r}"
        if extra
        else f"save the model as one of {known}",
    )


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
            raise ModelError(
                f"The model needs the module {error.name!r}, which is not here.",
                code="model-module",
                where=str(path),
                mend="install what the model was trained with, or put its own code on PYTHONPATH",
            ) from error
        except Exception as error:
            raise ModelError(
                f"{path.name} cannot be read as a model.",
                code="model-corrupt",
                where=str(path),
                why=_one_line(error),
                mend="the file may be cut short or written by another version: save the model again",
            ) from error
    if not (hasattr(model, "predict") or hasattr(model, "transform")):
        raise ModelError(
            f"{path.name} holds a {type(model).__name__}, not a model.",
            code="model-format",
            where=str(path),
            mend="save the fitted estimator or pipeline itself",
        )
    return model


def _load_skops(path: Path, trust: bool) -> Any:
    io = need("skops.io")
    unknown = sorted(io.get_untrusted_types(file=path))
    if unknown and not trust:
        raise ModelError(
            f"{path.name} holds types that skops does not trust: {', '.join(unknown)}.",
            code="model-untrusted",
            where=str(path),
            why="loading them runs code that is not part of the known libraries",
            mend="set `trust: true` if these types are yours",
        )
    return io.load(path, trusted=unknown)


def _load_pickle(path: Path) -> Any:
    return need("joblib").load(path)


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
