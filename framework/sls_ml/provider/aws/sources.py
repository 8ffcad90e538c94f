"""Chooses the templates and the pinned wheels of each function on AWS Lambda."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import PurePosixPath
from typing import assert_never

from sls_ml.intent.model import Deployment, EngineName, Function
from sls_ml.provider.base import Template

_TEMPLATES = files("sls_ml.provider.aws") / "templates"
_PINS = files("sls_ml.provider.aws") / "data" / "pins"


def sources(deployment: Deployment) -> Mapping[PurePosixPath, Template]:
    """The templates of all functions, by path below ``<project>/aws``."""
    chosen: dict[PurePosixPath, Template] = {}
    for function in deployment.functions:
        folder = PurePosixPath(function.name)
        chosen[folder / "handler.py"] = Template(_text(_handler(function)))
        chosen[folder / "hooks.py"] = Template(_text("hooks.py"), once=True)
    return chosen


def requirements(deployment: Deployment) -> Mapping[str, str]:
    """The text of each function's requirements.txt: exact pins with hashes, empty where nothing is needed.

    Lambda's own runtime brings boto3 and awslambdaric, so neither is pinned here. The pins are meant to be
    installed without their dependencies: `ort_capi` reads nothing of onnxruntime's wheel but its library.
    """
    return {function.name: _pins(function) for function in deployment.functions}


def _handler(function: Function) -> str:
    if function.batch:
        return "objects_handler.py"
    match function.observability:
        case "native":
            return "http_handler.py"
        case "powertools":
            return "http_powertools_handler.py"
        case _:
            assert_never(function.observability)


def _pins(function: Function) -> str:
    needs = {need for model in function.models for need in _needs(model.engine)}
    if function.observability == "powertools":
        needs.add("powertools")
    return "".join((_PINS / f"{need}.txt").read_text("utf-8") for need in sorted(needs))


def _needs(engine: EngineName) -> tuple[str, ...]:
    match engine:
        case "lite":
            return ()
        case "ort_capi":
            return ("onnxruntime",)
        case "ort_python":
            return ("numpy", "onnxruntime")
        case _:
            assert_never(engine)


def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text("utf-8")
