"""JSON Schema of sls-ml.yaml, for editors."""

from __future__ import annotations

import copy
import tomllib
from importlib import resources
from typing import Any

from sls_ml.spec import rate, timetable
from sls_ml.spec.model import Spec


def json_schema() -> dict[str, Any]:
    """The schema of the whole file, with `stages` that may override any other key but `project`."""
    schema = Spec.model_json_schema(by_alias=True)
    rollout = schema["properties"]["rollout"]
    schema["properties"]["rollout"] = {
        **rollout,
        "anyOf": [{"const": "all-at-once"}, {"$ref": rollout["$ref"]}],
    }
    del schema["properties"]["rollout"]["$ref"]
    schema["properties"]["rollout"]["default"] = "all-at-once"
    traffic = schema["$defs"]["Function"]["properties"]["traffic"]
    traffic["anyOf"] = [{"type": "number"}, {"type": "string", "pattern": rate.PATTERN}, *traffic["anyOf"]]
    schedule = schema["$defs"]["Function"]["properties"]["schedule"]
    schedule["anyOf"] = [{"type": "string", "pattern": timetable.PATTERN_WITH_RATES}, *schedule["anyOf"]]
    _explain(schema)
    schema["$defs"]["Stage"] = _stage(schema)
    schema["properties"]["stages"] = {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/Stage"},
        "description": _meanings()["Spec"]["stages"],
        "default": {},
    }
    schema["title"] = "sls-ml.yaml"
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema


def _explain(schema: dict[str, Any]) -> None:
    """Give every key its meaning."""
    meanings = _meanings()
    for name, part in [("Spec", schema), *schema["$defs"].items()]:
        for key, value in part["properties"].items():
            value["description"] = meanings[name][key]


def _meanings() -> dict[str, dict[str, str]]:
    """What each key means, by its class."""
    return tomllib.loads(resources.files(__package__).joinpath("meanings.toml").read_text(encoding="utf-8"))


def _stage(schema: dict[str, Any]) -> dict[str, Any]:
    """The same keys, none of them required, at every depth."""
    stage = {
        key: value
        for key, value in copy.deepcopy(schema["properties"]).items()
        if key not in {"project", "provider"}
    }
    for name in ("models", "functions"):
        stage[name] |= {"additionalProperties": {"type": "object"}}
    return {"type": "object", "properties": stage, "additionalProperties": False}
