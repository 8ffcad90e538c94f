"""Show an artifact on one page of HTML that needs nothing else: no network, no script."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sls_ml.artifact import manifest as manifests
from sls_ml.artifact import packed, several
from sls_ml.artifact.extras import need
from sls_ml.artifact.pictures import bars, density, scatter

if TYPE_CHECKING:
    from sls_ml.artifact.artifact import Artifact

_OPERATORS = 14
_CELL = 160
_MEANING = {
    "probability": "largest difference",
    "value": "largest difference, relative to 1 + |y|",
    "score": "largest difference, relative to 1 + |y|",
    "transformed": "largest difference, relative to 1 + |y|",
    "label": "share of rows with another label",
}


def render(artifact: Artifact, start: str | None = None) -> str:
    """Give the page.

    Args:
        artifact: An artifact; what its report lacks, since an older version wrote it, is left out.
        start: The picture of a cold start with this artifact, as SVG.
    """
    manifest, report = artifact.manifest, artifact.report
    css = Path(__file__).with_name("page.css").read_text()
    parts = [
        _head(artifact),
        _facts(artifact),
        _engines(report),
        _parity(report),
        _signature(manifest),
        _answers(manifest),
        _operators(artifact),
        _files(manifest),
        _start(start),
        _foot(report),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(artifact.name)} {artifact.digest[:12]}</title><style>{css}</style></head>"
        f"<body><main>{''.join(part for part in parts if part)}</main></body></html>\n"
    )


def _head(artifact: Artifact) -> str:
    manifest = artifact.manifest
    kind = manifest["kind"].replace("_", " ")
    source = manifest.get("source", {})
    return (
        f'<header><p class="over">{escape(source.get("library", ""))} {escape(kind)}</p>'
        f"<h1>{escape(artifact.name)}</h1>"
        f'<p class="under">{escape(source.get("estimator", ""))}</p>'
        f'<p class="under mono">{artifact.digest}</p></header>'
    )


def _facts(artifact: Artifact) -> str:
    manifest, rows = artifact.manifest, artifact.report.get("rows", {})
    compared = rows.get("sample", 0) + rows.get("adversarial", 0)
    facts = [
        (_size(artifact.bytes), "in all, uncompressed"),
        (str(len(manifest["inputs"])), "input" if len(manifest["inputs"]) == 1 else "inputs"),
        (manifest["engines"][0], "serves it first"),
        (f"{compared:,}", f"rows compared, {rows.get('adversarial', 0):,} of them made up"),
    ]
    shown = "".join(
        f'<div class="fact"><b>{escape(big)}</b><span>{small}</span></div>' for big, small in facts
    )
    return f'<div class="facts">{shown}</div>'


def _engines(report: Mapping[str, Any]) -> str:
    engines = report.get("engines", {})
    if not engines:
        return ""
    rows = []
    for name, found in engines.items():
        chip = (
            '<span class="chip">passed</span>' if found["passed"] else '<span class="chip no">not used</span>'
        )
        ties = f"{found['ties']} tied" if found.get("ties") else ""
        for at, (key, error) in enumerate(found["worst"].items()):
            rows.append(
                (
                    "" if at else f"<code>{escape(name)}</code>",
                    "" if at else chip,
                    escape(key),
                    _number(error),
                    f'<span class="quiet">{_MEANING.get(key, "")}</span>',
                    ties,
                )
            )
    judge = report.get("judge")
    raised = report.get("rows", {}).get("original_raises")
    note = f"The judge is {escape(judge)}." if judge else ""
    if raised:
        note += f" {raised:,} more rows are admitted though the original raises on them."
    table = _table(("engine", "", "answer", "worst", "", ""), rows, right=(3,))
    return _section("How close each engine is", note, table)


def _parity(report: Mapping[str, Any]) -> str:
    engines = report.get("engines", {})
    name = next((name for name, one in engines.items() if one.get("pairs")), None)
    if name is None:
        return ""
    found = engines[name]
    pairs = [(float(left), float(right)) for left, right in found["pairs"]]
    gaps = [(left, right - left) for left, right in pairs]
    plots = (
        f"<figure>{scatter(pairs, diagonal=True, label='answers of the original and of the artifact')}"
        f"<figcaption>Original across, {escape(name)} up</figcaption></figure>"
        f"<figure>{scatter(gaps, diagonal=False, label='differences between both')}"
        "<figcaption>Original across, difference up</figcaption></figure>"
    )
    table = _furthest(found.get("furthest", ()))
    note = f"{len(pairs)} numbers, spread over all rows that were compared."
    if report.get("quantization"):
        note += f" {said_of_quantization(report['quantization'])}"
    return _section("Original and artifact, side by side", note, f'<div class="pair">{plots}</div>{table}')


def said_of_quantization(told: Mapping[str, Any]) -> str:
    """Say what integers as weights save and cost, of an entry of the report."""
    size, worst = told["bytes"], told["worst"]
    errors = {
        when: ", ".join(f"{key} {value:.1e}" for key, value in worst[when].items())
        for when in ("before", "after")
    }
    return (
        f"Its weights are integers of eight bits: {size['after']:,} bytes instead of {size['before']:,}; "
        f"largest difference from the original {errors['after']}, without {errors['before']}."
    )


def _furthest(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return '<p class="under">No number differs at all.</p>'
    cells = [
        (
            _number(one["error"]),
            f"<code>{_shown(one['expected'])}</code>",
            f"<code>{_shown(one['got'])}</code>",
            f'<span class="mono quiet">{_shown(one["row"])}</span>',
        )
        for one in rows
    ]
    head = ("off by", "original", "artifact", "the row")
    return f"<h3>Furthest apart</h3>{_table(head, cells, wide=(1, 2, 3))}"


def _signature(manifest: Mapping[str, Any]) -> str:
    features = manifest.get("drift", {}).get("features", [{}] * len(manifest["inputs"]))
    rows = [
        (
            f"<b>{escape(entry['name'])}</b>",
            f"<code>{escape(entry['dtype'])}</code>",
            "allowed" if entry["nullable"] else "refused",
            escape(_allowed(entry)),
            _spark(feature),
        )
        for entry, feature in zip(manifest["inputs"], features, strict=False)
    ]
    seen = manifest.get("drift", {}).get("rows")
    note = f"Seen: how {seen:,} rows of the sample are spread, the reference for drift." if seen else ""
    head = ("input", "type", "missing", "values", "seen")
    return _section("What it expects", note, _table(head, rows, wide=(3,)))


def _allowed(entry: Mapping[str, Any]) -> str:
    if entry["categories"] is not None:
        listed = ", ".join(str(value) for value in entry["categories"][:12])
        more = len(entry["categories"]) - 12
        return f"one of {listed}" + (f" and {more} more" if more > 0 else "")
    if entry["dtype"] in ("string", "bool"):
        return "any"
    ends = entry.get("range")
    limits = "" if ends is None else f"{ends[0]:.4g} to {ends[1]:.4g}"
    if entry["finite"]:
        return limits or "any finite number"
    return f"{limits or 'any number'}, infinite ones too"


def _spark(entry: Mapping[str, Any] | None) -> str:
    if not entry or not entry.get("counts"):
        return ""
    if "top" not in entry:
        return density(entry["edges"], entry["counts"], "how the numbers are spread")
    counts = [*entry["counts"], *([entry["rest"]] if entry.get("rest") else [])]
    return bars(counts, escape(f"how often: {', '.join(map(str, entry['top']))}", quote=True))


def _answers(manifest: Mapping[str, Any]) -> str:
    classes = manifest["classes"]
    predicted = _spark(manifest.get("drift", {}).get("prediction"))
    rows = [
        (
            f"<b>{escape(output['key'])}</b>",
            f"<code>{escape(output['dtype'])}</code>",
            "one for each row" if output["columns"] is None else f"{output['columns']} for each row",
            escape(several.told(classes, 20)) if classes and output["key"] == "label" else "",
            predicted if output["key"] in ("label", "value") else "",
        )
        for output in manifest["outputs"]
    ]
    table = _table(("answer", "type", "", "classes" if classes else "", "seen"), rows, wide=(3,))
    body = json.dumps({"rows": manifest.get("example", [])[:1]}, ensure_ascii=False)
    return _section("What it answers", "", f"{table}<h3>A request</h3><pre>{escape(body)}</pre>")


def _operators(artifact: Artifact) -> str:
    onnx = need("onnx", extra="onnx")
    model = onnx.load_model_from_string(artifact.files[manifests.GRAPH])
    stored = {value.name: value.ByteSize() for value in model.graph.initializer}
    count: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for node in model.graph.node:
        name = f"{node.domain}.{node.op_type}".lstrip(".")
        count[name] += 1
        size[name] += packed.size_of(node) + sum(stored.pop(read, 0) for read in node.input)
    most = max(size.values(), default=1)
    rows = [
        (
            f"<code>{escape(name)}</code>",
            str(count[name]),
            _size(size[name]),
            f'<div class="meter"><i style="width:{100 * size[name] / most:.1f}%"></i></div>',
        )
        for name, _ in size.most_common(_OPERATORS)
    ]
    rest = len(size) - len(rows)
    opsets = sorted(artifact.manifest.get("opset", {}).items())
    sets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in opsets)
    note = f"{sum(count.values())} nodes of {len(size)} operators; {sets}." + (
        f" {rest} not shown." if rest else ""
    )
    return _section(
        "The graph, by operator", note, _table(("operator", "nodes", "size", ""), rows, right=(1, 2))
    )


def _files(manifest: Mapping[str, Any]) -> str:
    rows = [
        (
            f"<code>{escape(name)}</code>",
            _size(entry["bytes"]),
            f'<span class="mono quiet">{entry["sha256"]}</span>',
        )
        for name, entry in sorted(manifest["files"].items())
    ]
    return _section("Files", "", _table(("file", "size", "sha256"), rows, right=(1,), wide=(2,)))


def _start(picture: str | None) -> str:
    """The picture as an image, so that its style and the page's do not meet."""
    if picture is None:
        return ""
    data = b64encode(picture.encode()).decode()
    return _section(
        "A cold start",
        "Measured on one machine by sls-ml bench coldstart; the ratio to an empty handler holds elsewhere.",
        f'<img class="wide" alt="Where a cold start goes" src="data:image/svg+xml;base64,{data}">',
    )


def _foot(report: Mapping[str, Any]) -> str:
    tools = ", ".join(f"{name} {version}" for name, version in report.get("tools", {}).items())
    if not tools:
        return ""
    machine = escape(str(report.get("machine", "")))
    return (
        f"<footer>Converted in {report.get('seconds', 0):.1f} s on {machine} with {escape(tools)}.</footer>"
    )


def _section(title: str, note: str, content: str) -> str:
    said = f'<p class="note">{note.strip()}</p>' if note.strip() else ""
    return f"<section><h2>{escape(title)}</h2>{said}{content}</section>"


def _table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[int] = (),
    wide: Sequence[int] = (),
) -> str:
    """Give a table of cells that are HTML already."""
    style = [
        ' class="n"' if at in right else ' class="wide"' if at in wide else "" for at in range(len(head))
    ]
    top = "".join(f"<th{kind}>{escape(name)}</th>" for kind, name in zip(style, head, strict=True))
    # On a narrow screen the head is not shown, and each cell says its own.
    said = [
        kind + (f' data-head="{escape(name)}"' if name else "")
        for kind, name in zip(style, head, strict=True)
    ]
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(said, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.2g}" if math.isfinite(value) else "∞"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        text = ", ".join(f"{name}={json.dumps(cell, ensure_ascii=False)}" for name, cell in value.items())
    else:
        text = json.dumps(value, ensure_ascii=False)
    return escape(text if len(text) <= _CELL else f"{text[:_CELL]}…")


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} KB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
