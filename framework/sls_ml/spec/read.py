"""Reads sls-ml.yaml into a Project and reports everything that is wrong with it at once."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sls_ml.errors import Problem, SpecError, UsageError
from sls_ml.spec.model import LOCAL_STAGE, Project, Spec

SPEC_FILE = "sls-ml.yaml"

_Path = tuple[str | int, ...]

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping of keys",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "model_attributes_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "path_type": "text",
    "string_too_long": "{max_length} characters or fewer",
    "string_too_short": "{min_length} characters or more",
    "string_type": "text",
    "too_short": "at least one entry",
    "tuple_type": "a list",
}
"""pydantic's kinds of error, in a reader's words."""


def read(path: Path, stage: str | None = None) -> Project:
    """Read a spec and apply one stage.

    Args:
        path: sls-ml.yaml, or the folder that holds it.
        stage: A stage that the file declares, or ``local``. None picks ``dev`` where no stages are
            declared, or the only one.

    Raises:
        SpecError: The file is missing or wrong; carries every problem found in any stage.
        UsageError: The stage is not declared.
    """
    file = path / SPEC_FILE if path.is_dir() else path
    document = _parse(file)
    stages = document.data.get("stages") or {}
    chosen = _choose(stages, stage, file)
    problems = list(document.duplicates)
    valid: dict[str, Project] = {}
    for name in dict.fromkeys([chosen, *stages]):
        try:
            valid[name] = _validate(document, name, file.parent.resolve())
        except SpecError as error:
            problems.extend(error.problems)
        else:
            problems.extend(_cross_checks(valid[name], document))
    if problems:
        unique = sorted(dict.fromkeys(problems), key=lambda p: (p.line or 0, p.key))
        count = f"{len(unique)} mistakes" if len(unique) > 1 else "a mistake"
        raise SpecError(
            f"{file.name} has {count}", code="spec-invalid", where=str(file), problems=tuple(unique)
        )
    return valid[chosen]


def declared_stages(path: Path) -> list[str]:
    """The stages of a spec in its order; ``dev`` where it declares none.

    Raises:
        SpecError: The file is missing or is no YAML.
    """
    stages = _parse(path / SPEC_FILE if path.is_dir() else path).data.get("stages")
    return list(stages) if isinstance(stages, dict) and stages else ["dev"]


@dataclass(frozen=True)
class _Document:
    data: dict[str, Any]
    lines: Mapping[_Path, int]
    duplicates: tuple[Problem, ...]

    def line(self, path: _Path, stage: str) -> int | None:
        """Where a key stands: in the stage's overrides if it is there, else in the base."""
        for candidate in (("stages", stage, *path), path):
            if candidate in self.lines:
                return self.lines[candidate]
        return None


def _parse(file: Path) -> _Document:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SpecError(
            f"there is no {file.name} here",
            code="spec-missing",
            where=str(file),
            mend="run `sls-ml init`, or name the folder with --project",
        ) from error
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{file.name} is not UTF-8", code="spec-encoding", where=str(file), mend="save it as UTF-8"
        ) from error
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    try:
        node = yaml.compose(text)
        data = yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        raise SpecError(
            f"{file.name} is not YAML: {error.problem}",
            code="spec-syntax",
            where=f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file),
            mend="look at indentation, quotes and colons there and in the line above",
        ) from error
    if not isinstance(node, MappingNode) or not isinstance(data, dict):
        raise SpecError(
            f"{file.name} is not a mapping of keys",
            code="spec-syntax",
            where=str(file),
            mend="write keys with values, such as `project: credit-risk`, or let `sls-ml init` begin",
        )
    lines: dict[_Path, int] = {}
    duplicates = tuple(_walk(node, (), lines))
    return _Document(data, lines, duplicates)


def _walk(node: Node, path: _Path, lines: dict[_Path, int]) -> Iterator[Problem]:
    """Record the line of every key and yield the keys that are given twice."""
    if isinstance(node, MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, ScalarNode) else "?"
            line = key.start_mark.line + 1
            if name in seen:
                yield Problem(_dotted((*path, name)), line, "is given twice", f"first on line {seen[name]}")
            seen[name] = line
            lines[*path, name] = line
            yield from _walk(value, (*path, name), lines)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            lines[*path, index] = item.start_mark.line + 1
            yield from _walk(item, (*path, index), lines)


def _choose(stages: object, stage: str | None, file: Path) -> str:
    declared = list(stages) if isinstance(stages, dict) else []
    if stage == LOCAL_STAGE or (stage is not None and stage in declared):
        return stage
    if stage is None and len(declared) <= 1:
        return declared[0] if declared else "dev"
    if stage is None:
        raise UsageError(
            f"{file.name} declares several stages: {', '.join(declared)}",
            code="stage-missing",
            mend="choose one with --stage",
        )
    if not declared and stage == "dev":
        return stage
    raise UsageError(
        f"there is no stage {stage!r} in {file.name}",
        code="stage-unknown",
        where=str(file),
        mend=f"declared: {', '.join([*declared, LOCAL_STAGE])}" + _meant(stage, declared),
    )


def _validate(document: _Document, stage: str, folder: Path) -> Project:
    base = {key: value for key, value in document.data.items() if key != "stages"}
    stages = document.data.get("stages") or {}
    if not isinstance(stages, dict):
        line = document.line(("stages",), stage)
        problem = Problem("stages", line, "is a mapping of stage names to overrides")
        raise SpecError("stages", code="spec-invalid", problems=(problem,))
    overrides = stages.get(stage) or {}
    merged = _merge(base, overrides) if isinstance(overrides, dict) else base
    try:
        return Project.model_validate({**merged, "folder": folder, "stage": stage})
    except ValidationError as error:
        problems = tuple(_problem(detail, document, stage) for detail in error.errors())
        raise SpecError("invalid", code="spec-invalid", problems=problems) from error


def _merge(base: Any, over: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **{key: _merge(base.get(key), value) for key, value in over.items()}}


def _problem(detail: ErrorDetails, document: _Document, stage: str) -> Problem:
    path = _key_path(detail["loc"])
    line = document.line(path, stage)
    key = _dotted(path)
    match detail["type"]:
        case "extra_forbidden":
            allowed = _allowed(path[:-1])
            mend = "allowed: " + ", ".join(allowed) if allowed else None
            meant = _meant(str(path[-1]), allowed)
            return Problem(key, line, "is not a key of sls-ml.yaml", meant.removeprefix("; ") or mend)
        case "missing":
            return Problem(key, document.line(path[:-1], stage), "is required")
        case "literal_error":
            expected = str(detail.get("ctx", {}).get("expected", ""))
            options = [option.strip(" '") for option in expected.replace(" or ", ", ").split(",")]
            meant = _meant(str(detail["input"]), options)
            return Problem(key, line, f"is {detail['input']!r}, allowed: {', '.join(options)}{meant}")
        case _:
            return Problem(key, line, f"is {detail['input']!r}, expected: {_expected(detail)}")


def _expected(detail: ErrorDetails) -> str:
    """What a value should have been, in a reader's words."""
    template = _EXPECTED.get(detail["type"])
    if template is None:
        return detail["msg"].removeprefix("Value error, ")
    return template.format(**detail.get("ctx", {}))


def _key_path(loc: tuple[int | str, ...]) -> _Path:
    """Drop what pydantic adds to a location for unions and dictionary keys."""
    return tuple(part for part in loc if part not in {"[key]", "str", "Secret"})


def _allowed(path: _Path) -> list[str]:
    """The keys that the spec allows at a path."""
    current: Any = Spec
    for part in path:
        model = _model_of(current)
        if model is None:
            return []
        if isinstance(model, type):
            names = {field.alias or name: field for name, field in model.model_fields.items()}
            if part not in names:
                return []
            current = names[str(part)].annotation
        else:
            current = model.value
    model = _model_of(current)
    if not isinstance(model, type):
        return []
    keys = [field.alias or name for name, field in model.model_fields.items()]
    return [*keys, "stages"] if model is Spec else keys


@dataclass(frozen=True)
class _Dictionary:
    value: Any


def _model_of(annotation: Any) -> type[BaseModel] | _Dictionary | None:
    """The pydantic model in an annotation, or what a dictionary holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is dict:
        return _Dictionary(arguments[1])
    for argument in arguments:
        if (model := _model_of(argument)) is not None:
            return model
    return None


def _cross_checks(project: Project, document: _Document) -> Iterator[Problem]:
    """What no single key can know: references between the parts of a spec."""

    def at(what: str, *path: str, mend: str | None = None) -> Problem:
        return Problem(_dotted(path), document.line(path, project.stage), what, mend)

    known = list(project.models)
    for name, function in project.functions.items():
        if bool(function.model) == bool(function.models):
            yield at("needs either `model` or `models`", "functions", name)
        for model in function.model_names:
            if model not in project.models:
                key = "model" if function.model else "models"
                mend = f"models: {', '.join(known)}{_meant(model, known)}"
                yield at(f"names the unknown model {model!r}", "functions", name, key, mend=mend)
        if function.http is None and function.objects is None:
            yield at("needs one of `http`, `objects`", "functions", name)
        if function.schedule is not None and function.objects is None:
            mend = "it says when the objects of a function with `objects` are scored"
            yield at("is for a function with `objects`", "functions", name, "schedule", mend=mend)
        if function.http is not None and function.objects is not None:
            mend = "make two functions of the same model"
            yield at("has both `http` and `objects`", "functions", name, mend=mend)
        if function.objects is not None:
            for key, uri in (("from", function.objects.from_), ("to", function.objects.to)):
                if uri != "auto" and not uri.startswith(("s3://", "gs://", "az://")):
                    mend = "auto, or a bucket and prefix such as s3://bucket/incoming/"
                    yield at(f"is {uri!r}", "functions", name, "objects", key, mend=mend)


def _meant(word: str, options: list[str]) -> str:
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _dotted(path: _Path) -> str:
    return ".".join(str(part) for part in path)
