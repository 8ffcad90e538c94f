"""CloudFormation's template language: parameters, conditions, intrinsic functions, the order of resources."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Lookup = Callable[[str, str | None], Any]
"""Answers ``Ref`` (attribute None) or ``Fn::GetAtt`` of a logical id."""

_NO_VALUE = object()
_SUB = re.compile(r"\$\{(!?[^}]*)\}")


class TemplateError(Exception):
    """The template cannot be read, or asks for something that CloudFormation refuses."""


def parse(text: str) -> dict[str, Any]:
    """Read a template from JSON, or from YAML with CloudFormation's short forms.

    Raises:
        TemplateError: The text is neither, or has no resources.
    """
    try:
        document = json.loads(text)
    except ValueError:
        document = _from_yaml(text)
    if not isinstance(document, dict) or not document.get("Resources"):
        raise TemplateError("Template format error: At least one Resources member must be defined.")
    return document


def _from_yaml(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
        value: Any
        match node:
            case yaml.ScalarNode():
                value = loader.construct_scalar(node)
            case yaml.SequenceNode():
                value = loader.construct_sequence(node, deep=True)
            case yaml.MappingNode():
                value = loader.construct_mapping(node, deep=True)
            case _:
                raise TemplateError(f"Template format error: unexpected !{suffix}")
        if suffix == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}

    Loader.add_multi_constructor("!", short_form)
    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader with short forms
    except yaml.YAMLError as error:
        raise TemplateError(f"Template format error: {error}") from error


class Template:
    """A template with its parameters bound.

    Args:
        text: The template's JSON or YAML.
        parameters: Given values, as the API takes them (strings).
        pseudo: Values of ``AWS::Region`` and its like.

    Raises:
        TemplateError: As CloudFormation's own validation would.
    """

    def __init__(self, text: str, parameters: Mapping[str, str], pseudo: Mapping[str, str]) -> None:
        self.text = text
        self.document = parse(text)
        self._mappings: dict[str, Any] = self.document.get("Mappings") or {}
        self._scalars: dict[str, Any] = {**pseudo, **self._bind(parameters)}
        self._conditions: dict[str, bool] = {}
        self.resources: dict[str, dict[str, Any]] = {
            name: body
            for name, body in self.document["Resources"].items()
            if "Condition" not in body or self.condition(body["Condition"])
        }
        self._check_references()
        self.order = self._order()

    def _bind(self, given: Mapping[str, str]) -> dict[str, Any]:
        declared: dict[str, Any] = self.document.get("Parameters") or {}
        if unknown := sorted(set(given) - set(declared)):
            raise TemplateError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        bound: dict[str, Any] = {}
        missing = []
        for name, slot in declared.items():
            value = given.get(name, slot.get("Default"))
            if value is None:
                missing.append(name)
                continue
            if "AllowedValues" in slot and str(value) not in [str(v) for v in slot["AllowedValues"]]:
                raise TemplateError(f"Parameter '{name}' must be one of AllowedValues")
            if "AllowedPattern" in slot and not re.fullmatch(slot["AllowedPattern"], str(value)):
                raise TemplateError(f"Parameter '{name}' must match pattern {slot['AllowedPattern']}")
            match slot["Type"]:
                case "String" | "Number":
                    bound[name] = str(value)
                case "CommaDelimitedList" | "List<Number>":
                    bound[name] = [part.strip() for part in str(value).split(",")]
                case other:
                    raise TemplateError(
                        f"Parameter '{name}': the embedded cloud has no parameter type {other}"
                    )
        if missing:
            raise TemplateError(f"Parameters: [{', '.join(missing)}] must have values")
        return bound

    def condition(self, name: str) -> bool:
        """Whether a named condition holds."""
        if name not in self._conditions:
            conditions = self.document.get("Conditions") or {}
            if name not in conditions:
                raise TemplateError(f"Template format error: Unresolved condition dependency {name}")
            self._conditions[name] = self._truth(conditions[name])
        return self._conditions[name]

    def _truth(self, expression: Any) -> bool:
        match expression:
            case {"Condition": name}:
                return self.condition(name)
            case {"Fn::Equals": [left, right]}:
                return str(self.resolve(left, _no_resources)) == str(self.resolve(right, _no_resources))
            case {"Fn::Not": [inner]}:
                return not self._truth(inner)
            case {"Fn::And": parts}:
                return all(self._truth(part) for part in parts)
            case {"Fn::Or": parts}:
                return any(self._truth(part) for part in parts)
            case _:
                raise TemplateError(f"Template error: not a condition: {json.dumps(expression)}")

    def resolve(self, value: Any, lookup: Lookup) -> Any:
        """The value with every intrinsic function carried out."""
        resolved = self._resolve(value, lookup)
        return None if resolved is _NO_VALUE else resolved

    def _resolve(self, value: Any, lookup: Lookup) -> Any:
        if isinstance(value, list):
            return [r for r in (self._resolve(v, lookup) for v in value) if r is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(key, argument)] = value.items()
            if key in ("Ref", "Condition") or key.startswith("Fn::"):
                return self._call(key, argument, lookup)
        pairs = ((k, self._resolve(v, lookup)) for k, v in value.items())
        return {k: v for k, v in pairs if v is not _NO_VALUE}

    def _call(self, function: str, argument: Any, lookup: Lookup) -> Any:  # noqa: C901, PLR0911, PLR0912 - one row each
        match function, argument:
            case "Ref", str(name):
                return self._ref(name, lookup)
            case "Fn::GetAtt", [str(name), str(attribute)]:
                return lookup(name, attribute)
            case "Fn::GetAtt", str(path):
                name, _, attribute = path.partition(".")
                return lookup(name, attribute)
            case "Fn::If", [str(condition), then, otherwise]:
                return self._resolve(then if self.condition(condition) else otherwise, lookup)
            case "Fn::Sub", str(text):
                return self._sub(text, {}, lookup)
            case "Fn::Sub", [str(text), dict(names)]:
                return self._sub(text, self._resolve(names, lookup), lookup)
            case "Fn::Join", [str(separator), parts]:
                return separator.join(str(part) for part in self._resolve(parts, lookup))
            case "Fn::Split", [str(separator), text]:
                return str(self._resolve(text, lookup)).split(separator)
            case "Fn::Select", [index, parts]:
                return self._resolve(parts, lookup)[int(self._resolve(index, lookup))]
            case "Fn::Base64", text:
                return base64.b64encode(str(self._resolve(text, lookup)).encode()).decode()
            case "Fn::FindInMap", [mapping, top, second]:
                keys = [self._resolve(key, lookup) for key in (mapping, top, second)]
                return self._mappings[keys[0]][keys[1]][keys[2]]
            case "Fn::ToJsonString", inner:
                return json.dumps(self._resolve(inner, lookup), separators=(",", ":"))
            case _:
                raise TemplateError(
                    f"Template error: the embedded cloud does not know {function} of this form"
                )

    def _ref(self, name: str, lookup: Lookup) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self._scalars:
            return self._scalars[name]
        return lookup(name, None)

    def _sub(self, text: str, names: Mapping[str, Any], lookup: Lookup) -> str:
        def one(match: re.Match[str]) -> str:
            inner = match[1]
            if inner.startswith("!"):
                return "${" + inner[1:] + "}"
            if inner in names:
                return str(names[inner])
            name, dot, attribute = inner.partition(".")
            return str(lookup(name, attribute) if dot else self._ref(inner, lookup))

        return _SUB.sub(one, text)

    def references(self, value: Any) -> set[str]:
        """Logical ids of the resources that a value refers to, under the conditions as they hold."""
        found: set[str] = set()

        def note(name: str, _attribute: str | None) -> str:
            found.add(name)
            return ""

        if isinstance(value, dict | list):
            self._visit(value, note)
        return found

    def _visit(self, value: Any, note: Lookup) -> None:
        for function, argument in _calls(value):
            match function, argument:
                case "Ref", str(name) if name not in self._scalars and name != "AWS::NoValue":
                    note(name, None)
                case "Fn::GetAtt", [str(name), str(attribute)]:
                    note(name, attribute)
                case "Fn::GetAtt", str(path):
                    note(path.partition(".")[0], "")
                case "Fn::Sub", str(text) | [str(text), _]:
                    own = argument[1] if isinstance(argument, list) else {}
                    for inner in _SUB.findall(text):
                        name = inner.partition(".")[0]
                        if not inner.startswith("!") and inner not in own and name not in self._scalars:
                            note(name, None)
                case "Fn::If", [str(condition), then, otherwise]:
                    self._visit(then if self.condition(condition) else otherwise, note)
                case _:
                    pass

    def _needs(self, name: str) -> set[str]:
        body = self.resources[name]
        depends = body.get("DependsOn") or []
        depends = {depends} if isinstance(depends, str) else set(depends)
        return self._own_references(body) | (depends & set(self.resources))

    def _own_references(self, body: Mapping[str, Any]) -> set[str]:
        return self.references([body.get("Properties") or {}, body.get("UpdatePolicy") or {}])

    def _check_references(self) -> None:
        known = set(self.document["Resources"])
        wrong: set[str] = set()
        for body in self.resources.values():
            depends = body.get("DependsOn") or []
            wrong |= ({depends} if isinstance(depends, str) else set(depends)) - known
            wrong |= self._own_references(body) - set(self.resources)
        if wrong:
            raise TemplateError(
                "Template format error: Unresolved resource dependencies "
                f"[{', '.join(sorted(wrong))}] in the Resources block of the template"
            )

    def _order(self) -> tuple[str, ...]:
        needs = {name: self._needs(name) for name in self.resources}
        ordered: list[str] = []
        while len(ordered) < len(needs):
            ready = [name for name in needs if name not in ordered and needs[name] <= set(ordered)]
            if not ready:
                circle = ", ".join(name for name in needs if name not in ordered)
                raise TemplateError(f"Circular dependency between resources: [{circle}]")
            ordered.extend(ready)
        return tuple(ordered)

    def symbolic(self, name: str) -> Any:
        """Properties of a resource with references to resources left as text, for comparing templates."""
        return self.resolve(
            self.resources[name].get("Properties") or {},
            lambda other, attribute: f"${{{other}.{attribute}}}" if attribute else f"${{{other}}}",
        )

    def outputs(self, lookup: Lookup) -> Iterator[tuple[str, str, str]]:
        """Name, value and description of each output whose condition holds."""
        for name, body in (self.document.get("Outputs") or {}).items():
            if "Condition" not in body or self.condition(body["Condition"]):
                yield name, str(self.resolve(body["Value"], lookup)), body.get("Description", "")


def _calls(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _calls(item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if len(value) == 1 and (key == "Ref" or key.startswith("Fn::")):
                yield key, inner
                if key == "Fn::If":
                    continue
            yield from _calls(inner)


def _no_resources(name: str, _attribute: str | None) -> Any:
    raise TemplateError(f"Template format error: a condition cannot refer to the resource {name}")
