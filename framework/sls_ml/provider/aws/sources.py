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
_PUBLIC = "AUTHORIZER: IAMAuthorizer | None = None"


def sources(deployment: Deployment) -> Mapping[PurePosixPath, Template]:
    """The templates of all functions, by path below ``<project>/aws``."""
    return {
        PurePosixPath(function.name, path): template
        for function in deployment.functions
        for path, template in _templates(function).items()
    }


def _templates(function: Function) -> dict[str, Template]:
    hooks = {"hooks.py": Template(_text("hooks.py"), once=True)}
    if function.batch:
        return {"handler.py": Template(_text("objects_handler.py"))} | hooks
    if function.style == "chalice":
        return _chalice(function) | hooks
    match function.observability:
        case "native":
            return {"handler.py": Template(_text("http_handler.py"))} | hooks
        case "powertools":
            return {"handler.py": Template(_text("http_powertools_handler.py"))} | hooks
        case _:
            assert_never(function.observability)


def _chalice(function: Function) -> dict[str, Template]:
    """A Chalice app, its Blueprint, and what stands between the app and a function URL."""
    blueprint = _text("chalice_model.py")
    if function.http and function.http.auth == "public":
        blueprint = blueprint.replace("AUTHORIZER: IAMAuthorizer | None = IAMAuthorizer()", _PUBLIC)
    if function.http and function.http.cors:
        blueprint = blueprint.replace("PREFLIGHT = False", "PREFLIGHT = True")
    return {
        "app.py": Template(_text("chalice_app.py"), once=True),
        "chalicelib/__init__.py": Template(_text("chalice_init.py")),
        "chalicelib/model.py": Template(blueprint),
        "handler.py": Template(_text("chalice_handler.py")),
    }


def requirements(deployment: Deployment) -> Mapping[str, str]:
    """The text of each function's requirements.txt: exact pins with hashes, empty where nothing is needed.

    Lambda's own runtime brings boto3 and awslambdaric, so neither is pinned here. The pins are meant to be
    installed without their dependencies: `ort_capi` reads nothing of onnxruntime's wheel but its library.
    """
    return {function.name: _pins(function) for function in deployment.functions}


def _pins(function: Function) -> str:
    needs = {need for model in function.models for need in _needs(model.engine)}
    if function.observability == "powertools":
        needs.add("powertools")
    if function.style == "chalice":
        needs.add("chalice")
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
