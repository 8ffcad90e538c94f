"""Asks a deployed function for predictions: rows, DataFrames, arrays or texts in, typed results out.

    from sls_ml.client import Client

    with Client("https://….lambda-url.eu-west-1.on.aws") as client:
        prediction = client.predict([{"age": 41, "city": "Bern"}])
        prediction.label, prediction.probability

Large inputs are sent in several requests, and requests that meet a busy function are sent again.
"""

from sls_ml.client.client import Client
from sls_ml.client.prediction import Prediction
from sls_ml.client.refusal import RequestRefused
from sls_ml.client.signing import Key, Token

__all__ = ["Client", "Key", "Prediction", "RequestRefused", "Token"]
