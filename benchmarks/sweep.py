"""Tries every estimator of scikit-learn and writes docs/estimators.md: right, refused, wrong or failed.

python benchmarks/sweep.py            all, and write the page
python benchmarks/sweep.py SVC Ridge  these only, printed
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "framework"), str(ROOT / "tests" / "conformance" / "sweep")]

from recipes import RECIPES
from trial import attempt


def main(names: list[str]) -> int:
    """Run the trials and tell how many went wrong."""
    chosen = [recipe for recipe in RECIPES if not names or recipe.estimator in names]
    outcomes = []
    for recipe in chosen:
        outcome = attempt(recipe)
        outcomes.append(outcome)
        print(
            f"{outcome.status:8}{recipe.estimator} {recipe.target} {recipe.note}: {outcome.why}", flush=True
        )
    print(Counter(outcome.status for outcome in outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
