"""The models that the benchmarks serve: trained here, with rows that they have not seen."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, make_classification, make_friedman1
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 7
HELD_OUT = 200


@dataclass(frozen=True)
class Trained:
    """A fitted model, and rows that it has not seen."""

    model: Any
    held_out: pd.DataFrame

    def predictions(self) -> Any:
        """What scikit-learn says of the held-out rows: probabilities, or values."""
        rows = self.held_out.get("text", self.held_out)
        return (
            self.model.predict_proba(rows)
            if hasattr(self.model, "predict_proba")
            else self.model.predict(rows)
        )


def logistic() -> Trained:
    """StandardScaler and LogisticRegression on 30 numbers."""
    rows, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    seen, held_out, labels, _ = train_test_split(rows, labels, test_size=HELD_OUT, random_state=SEED)
    return Trained(make_pipeline(StandardScaler(), LogisticRegression()).fit(seen, labels), held_out)


def forest() -> Trained:
    """RandomForestRegressor with 967 thousand nodes in 200 trees."""
    rows, values = make_friedman1(n_samples=14_000, n_features=10, noise=1.0, random_state=SEED)
    frame = pd.DataFrame(rows, columns=[f"x{position}" for position in range(10)])
    model = RandomForestRegressor(n_estimators=200, max_depth=12, n_jobs=2, random_state=SEED)
    return Trained(model.fit(frame[:-HELD_OUT], values[:-HELD_OUT]), frame[-HELD_OUT:])


def boosting() -> Trained:
    """HistGradientBoostingClassifier: 200 rounds for each of three classes, on 20 numbers."""
    rows, labels = make_classification(
        n_samples=8_000, n_features=20, n_informative=12, n_classes=3, random_state=SEED
    )
    frame = pd.DataFrame(rows, columns=[f"x{position}" for position in range(20)])
    model = HistGradientBoostingClassifier(max_iter=200, random_state=SEED)
    return Trained(model.fit(frame[:-HELD_OUT], labels[:-HELD_OUT]), frame[-HELD_OUT:])


def text() -> Trained:
    """TfidfVectorizer with some 20 thousand terms, and LogisticRegression."""
    chance = random.Random(SEED)  # noqa: S311 - words, not secrets
    letters = "abcdefghijklmnoprstuvw"
    words = ["".join(chance.choices(letters, k=chance.randint(3, 9))) for _ in range(24_000)]
    weights = 1 / np.arange(1, len(words) + 1) ** 0.6
    topics = [chance.sample(range(len(words)), 400) for _ in range(4)]
    texts, labels = [], []
    for number in range(8_000):
        topic = number % 4
        common = chance.choices(words, weights=weights, k=30)
        own = [words[position] for position in chance.choices(topics[topic], k=10)]
        texts.append(" ".join(chance.sample(common + own, 40)))
        labels.append(f"topic {topic}")
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=200))
    model.fit(texts[:-HELD_OUT], labels[:-HELD_OUT])
    return Trained(model, pd.DataFrame({"text": texts[-HELD_OUT:]}))


def grown() -> Trained:
    """RandomForestRegressor of 200 trees of depth 12, 725 thousand nodes."""
    rows, values = make_friedman1(n_samples=7_400, n_features=10, noise=1.0, random_state=SEED)
    frame = pd.DataFrame(rows, columns=[f"x{position}" for position in range(10)])
    model = RandomForestRegressor(n_estimators=200, max_depth=12, n_jobs=2, random_state=SEED)
    return Trained(model.fit(frame[:-HELD_OUT], values[:-HELD_OUT]), frame[-HELD_OUT:])


def three_classes() -> Trained:
    """RandomForestClassifier of 200 trees of depth 12, three classes."""
    rows, labels = make_classification(
        n_samples=26_000, n_features=20, n_informative=12, n_classes=3, flip_y=0.1, random_state=SEED
    )
    frame = pd.DataFrame(rows, columns=[f"x{position}" for position in range(20)])
    model = RandomForestClassifier(n_estimators=200, max_depth=12, n_jobs=2, random_state=SEED)
    return Trained(model.fit(frame[:-HELD_OUT], labels[:-HELD_OUT]), frame[-HELD_OUT:])


def perceptron() -> Trained:
    """StandardScaler and an MLPClassifier with layers of 256 and 128, on 20 numbers."""
    rows, labels = make_classification(
        n_samples=4_000, n_features=20, n_informative=12, n_classes=3, random_state=SEED
    )
    frame = pd.DataFrame(rows, columns=[f"x{position}" for position in range(20)])
    network = MLPClassifier((256, 128), max_iter=30, early_stopping=True, random_state=SEED)
    model = make_pipeline(StandardScaler(), network)
    return Trained(model.fit(frame[:-HELD_OUT], labels[:-HELD_OUT]), frame[-HELD_OUT:])


ARTIFACTS: dict[str, Callable[[], Trained]] = {
    "forest": grown,
    "forest, three classes": three_classes,
    "HistGradientBoosting": boosting,
    "logistic regression": logistic,
    "perceptron": perceptron,
    "TF-IDF": text,
}
"""The models whose artifacts are measured."""

MODELS: dict[str, Callable[[], Trained]] = {
    "logistic": logistic,
    "forest": forest,
    "boosting": boosting,
    "text": text,
}


def project(folder: Path, trained: Trained, engine: str) -> Path:
    """Write a project that serves a model with an engine: its file, its sample and sls-ml.yaml."""
    folder.mkdir(parents=True)
    joblib.dump(trained.model, folder / "model.joblib")
    trained.held_out.to_csv(folder / "sample.csv", index=False)
    (folder / "sls-ml.yaml").write_text(
        f"""project: measured
vendor: false
models:
  model: {{source: model.joblib, sample: sample.csv, trust: true, engine: {engine}}}
functions:
  predict: {{model: model, http: {{auth: iam}}}}
"""
    )
    return folder
