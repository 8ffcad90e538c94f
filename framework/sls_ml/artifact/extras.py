"""Import what an extra brings, or say how to install it."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

from sls_ml.errors import ExternalError


def need(module: str, *, extra: str = "sklearn") -> ModuleType:
    """Import a module of an optional extra.

    ONNX Runtime reports to its maker unless told not to before it loads, so this tells it first.

    Raises:
        ExternalError: The module is not installed; the error holds the command that installs it.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        raise ExternalError(
            f"Converting this needs {missing}, which is not installed.",
            code="extra-missing",
            mend=f"pip install 'sls-ml[{extra}]'",
        ) from error
