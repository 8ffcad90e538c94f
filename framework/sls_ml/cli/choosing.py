"""Finds what a user names among what there is, and says what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Literal

from sls_ml import deploy as story
from sls_ml.errors import ExternalError, UsageError
from sls_ml.provider.base import FunctionOutputs
from sls_ml.spec import Project


def known(kind: Literal["function", "model"], name: str, options: Iterable[str]) -> str:
    """The name itself, if there is one.

    Args:
        kind: What is named.
        name: The name that the user gave.
        options: The names that there are.

    Raises:
        UsageError: There is none with this name.
    """
    names = list(options)
    if name in names:
        return name
    close = difflib.get_close_matches(name, names, n=1)
    listed = f"{kind}s of the spec: {', '.join(names)}"
    raise UsageError(
        f"the spec has no {kind} {name!r}",
        code="function-unknown" if kind == "function" else "model-unknown",
        mend=f"did you mean {close[0]!r}? {listed}" if close else listed,
    )


def known_functions(spec: Project, names: Sequence[str] | None) -> list[str]:
    """The functions that the user chose; all of them where none was named."""
    return [known("function", name, spec.functions) for name in names or spec.functions]


def known_models(spec: Project, names: Sequence[str] | None) -> list[str]:
    """The models that the user chose; all of them where none was named."""
    return [known("model", name, spec.models) for name in names or spec.models]


def model_of(spec: Project, function: str, model: str | None) -> str:
    """The model of a function that is meant: it need not be named where there is one only.

    Raises:
        UsageError: The function serves several, or not this one.
    """
    names = spec.functions[function].model_names
    if model is None and len(names) > 1:
        raise UsageError(
            f"the function {function} serves several models",
            code="model-ambiguous",
            mend=f"say which: {', '.join(f'--model {name}' for name in names)}",
        )
    return names[0] if model is None else known("model", model, names)


def deployed(spec: Project, function: str) -> FunctionOutputs:
    """Where a function is found.

    Raises:
        UsageError: The spec has none of this name.
        ExternalError: It is not deployed.
    """
    known("function", function, spec.functions)
    functions = story.connect(spec).outputs().functions
    if function not in functions:
        raise ExternalError(
            f"{function} is not deployed in stage {spec.stage}",
            code="not-deployed",
            mend=f"run `sls-ml deploy --stage {spec.stage}`",
        )
    return functions[function]
