"""Tries every estimator of scikit-learn through the whole build, and writes docs/estimators.md.

python benchmarks/sweep.py            all; writes the page; fails if one answers wrong
python benchmarks/sweep.py SVC Ridge  these only, printed
python benchmarks/sweep.py all        all that this version of scikit-learn has, printed
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "framework"), str(ROOT / "tests" / "conformance" / "sweep")]

import sklearn  # noqa: E402 - the folders above come first
from recipes import RECIPES  # noqa: E402
from trial import CLASSES, Outcome, attempt  # noqa: E402

PAGE = ROOT / "docs" / "estimators.md"

_HEAD = """# Estimators

Every estimator of scikit-learn {version}, tried: fitted on small data with ties, missing values, unknown
categories or odd texts, built into an artifact, and asked for rows that it has not seen. `make sweep` writes
this page; the trials are in `tests/conformance/sweep/recipes.py`.

- **right**: labels are those of `predict`, probabilities and scores within 1e-5,
  values within 1e-6 of 1 + |y|.
- **refused**: `sls-ml convert` says so by name and names the way out, before anything is written.
- **stopped**: converted, but the parity gate found a row that differs, and refused the artifact.

{estimators} estimators, {trials} trials: {counts}.
{working} estimators convert, {refused} are refused.

Pipeline, ColumnTransformer, FeatureUnion and the searches convert when their parts do. A class of your own
converts when you give it a converter: [sources.md](sources.md) shows one. With scikit-learn 1.7.2 and 1.8.0,
the oldest that are admitted, `python benchmarks/sweep.py all` was run over the trials of that time (437 and
438), the other libraries as locked: none was wrong or stopped. Two fail in 1.7, which has no temperatures in
CalibratedClassifierCV.

Beside these trials, random pipelines are trained on random tables of numbers, codes, categories and texts
with gaps, and compared on fresh rows: `tests/conformance/pipelines`. `SLS_ML_PIPELINES=2000` draws as many.

Last drawn: 252 with one seed, none wrong and none refused (198 right, 54 that scikit-learn itself does not
fit); before them 675 with three others, which found what was mended: numbers in sparse tables that single
precision takes for zero, before XGBoost; gaps of sparse tables, before IsolationForest; tied neighbours of
KNNImputer and LocalOutlierFactor. Where both classes of a forest have exactly one half, and another model
such as OneVsOneClassifier counts its labels, the last bits of scikit-learn's sums decide, and ours are the
same.

Each input has a range of its own, found by asking the model. Where scikit-learn raises because several
inputs together overflow (PolynomialFeatures multiplies two near 1e20 and a forest reads the product as
float32), each inside its range, we answer: that boundary is not carried into the artifact.

Kernels, and searches for neighbours by brute force, take differences of squares: of rows near 1e6 that lie
one apart they keep four digits, and which ones depends on the machine. The parity gate excuses a difference
where scikit-learn's own answers for rows with other last digits scatter as far, in models without jumps
alone; the report counts such rows as ties. A forest behind such a kernel may be refused: scale first.
"""


def main(names: Sequence[str]) -> int:
    """Run the trials; 1 if one answered wrong or failed without a reason, else 0."""
    outcomes = []
    for recipe in RECIPES:
        if recipe.estimator in CLASSES and (not names or names == ["all"] or recipe.estimator in names):
            outcome = attempt(recipe)
            outcomes.append(outcome)
            sys.stdout.write(f"{outcome.status:8} {recipe.estimator} [{_label(outcome)}] {outcome.why}\n")
            sys.stdout.flush()
    counts = Counter(outcome.status for outcome in outcomes)
    sys.stdout.write(f"{_listed(counts)}\n")
    if not names:
        PAGE.write_text(page(outcomes), encoding="utf-8")
    return 1 if counts["wrong"] or counts["error"] else 0


def page(outcomes: Iterable[Outcome]) -> str:
    """Give the page for these outcomes."""
    by_name: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_name[outcome.recipe.estimator].append(outcome)
    counts = Counter(outcome.status for found in by_name.values() for outcome in found)
    working = {name for name, found in by_name.items() if any(o.status == "right" for o in found)}
    head = _HEAD.format(
        version=".".join(sklearn.__version__.split(".")[:2]),
        estimators=len(by_name),
        trials=counts.total(),
        counts=_listed(counts),
        working=len(working),
        refused=len(by_name) - len(working),
    )
    lines = [
        head,
        "## Converted",
        "",
        "| estimator | right for | engines | refused for |",
        "|---|---|---|---|",
    ]
    lines += [_working_row(name, by_name[name]) for name in sorted(working)]
    lines += ["", "## Refused", "", "| estimator | why | way out |", "|---|---|---|"]
    lines += [_refused_row(name, by_name[name]) for name in sorted(by_name.keys() - working)]
    return "\n".join(lines) + "\n"


def _working_row(name: str, found: list[Outcome]) -> str:
    right = [outcome for outcome in found if outcome.status == "right"]
    engines = [e for e in ("lite", "ort_capi", "ort_python") if all(e in o.engines for o in right)]
    others = [f"{_label(o)} ({o.status}: {_reason(o)})" for o in found if o.status != "right"]
    cells = (name, ", ".join(map(_label, right)), ", ".join(engines), "; ".join(others))
    return _row(cells)


def _refused_row(name: str, found: list[Outcome]) -> str:
    return _row((name, _reason(found[0]), found[0].mend))


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _label(outcome: Outcome) -> str:
    recipe = outcome.recipe
    if recipe.note:
        return recipe.note
    return {"two": "two classes", "three": "three classes"}.get(recipe.target, recipe.data)


def _reason(outcome: Outcome) -> str:
    return outcome.why.partition(" cannot be converted to ONNX: ")[2].rstrip(".") or outcome.why


def _listed(counts: Counter[str]) -> str:
    order = ("right", "refused", "stopped", "wrong", "error")
    return ", ".join(f"{counts[status]} {status}" for status in order)


if __name__ == "__main__":
    assert set(CLASSES) <= {recipe.estimator for recipe in RECIPES}, "an estimator has no recipe"
    sys.exit(main(sys.argv[1:]))
