"""Trains the tickets sample: python samples/tickets/train.py.

Short texts into TF-IDF and a logistic regression. The texts are made up from a few phrases by a seeded
generator, so the data needs no download. Writes model.skops, sample.csv and incoming.csv.
"""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import skops.io
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline

FOLDER = Path(__file__).parent
OPENINGS = ["Hello,", "Hi team,", "Grüezi,", "Bonjour,", "Dear support,", "", "URGENT:", "Hola 👋"]
CLOSINGS = [
    "Thanks!",
    "Please help.",
    "Best regards, Zoë",
    "Merci d'avance",
    "",
    "Can someone look at this today?",
]
TOPICS = {
    "billing": [
        "my invoice for {month} is wrong",
        "I was charged twice on my credit card",
        "the refund of {amount} € has not arrived",
        "please change the VAT number on the bill",
        "why does the receipt say {amount} instead of the agreed price",
    ],
    "technical": [
        "the app crashes when I open the {month} report",
        "I cannot log in, error {amount}",
        "the API answers 503 since {month}",
        "upload of a CSV file hangs at {amount} rows",
        "the password-reset e-mail never comes",
    ],
    "delivery": [
        "my parcel was due in {month} and is not here",
        "the tracking number {amount} does not work",
        "the box arrived damaged",
        "please deliver to the neighbour, café Müller",
        "the courier left order {amount} at the wrong address",
    ],
}
MONTHS = ["January", "März", "août", "November"]


def load(count: int = 1200) -> pd.DataFrame:
    """Made-up tickets with the columns `text` and `topic`."""
    dice = random.Random(11)  # noqa: S311 - repeatable sample data, no secret
    rows = []
    for number in range(count):
        topic = dice.choice(sorted(TOPICS))
        phrases = dice.sample(TOPICS[topic], k=dice.choice([1, 1, 2]))
        body = " and ".join(phrases).format(month=dice.choice(MONTHS), amount=dice.randrange(10, 9999))
        text = " ".join(part for part in (dice.choice(OPENINGS), body, dice.choice(CLOSINGS)) if part)
        label = topic if dice.random() > 0.03 else dice.choice(sorted(TOPICS))
        rows.append({"id": f"S{number:05d}", "text": text, "topic": label})
    return pd.DataFrame(rows)


def train(tickets: pd.DataFrame) -> Pipeline:
    """Words and pairs of words into a linear classifier of three topics."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    return make_pipeline(words, LogisticRegression(max_iter=500)).fit(tickets["text"], tickets["topic"])


def main() -> None:
    """Train on three quarters of the rows and write the files of the sample."""
    seen, held_out = train_test_split(load(), test_size=0.25, random_state=11)
    model = train(seen)
    skops.io.dump(model, FOLDER / "model.skops", compresslevel=9, compression=8)
    seen.head(150)[["text"]].to_csv(FOLDER / "sample.csv", index=False)
    held_out[["id", "text"]].to_csv(FOLDER / "incoming.csv", index=False)
    print(
        f"accuracy on {len(held_out)} held-out rows: {model.score(held_out['text'], held_out['topic']):.3f}"
    )


if __name__ == "__main__":
    main()
