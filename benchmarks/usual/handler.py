"""The function that most teams would write around an ONNX model: boto3, onnxruntime, Powertools.

Nothing in it is slow on purpose: it follows the documentation of each library. `sls-ml bench coldstart
--against empty,benchmarks/usual` starts it beside ours; it finds the model in ``artifact/``.
"""

from __future__ import annotations

from pathlib import Path

import boto3
import numpy as np
import onnxruntime
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(service="usual")
metrics = Metrics(namespace="usual", service="usual")
tracer = Tracer(service="usual")
app = LambdaFunctionUrlResolver()

# Such a function gets its model from S3; here it lies beside the code, so that no download is measured.
s3 = boto3.client("s3")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
MODEL = Path(__file__).parent / "artifact" / "model.onnx"
session = onnxruntime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])

DTYPES = {
    "tensor(double)": np.float64,
    "tensor(float)": np.float32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
    "tensor(string)": object,
}


def feeds(rows: list[dict]) -> dict[str, np.ndarray]:
    """The model's inputs."""
    table = [list(row.values()) for row in rows]
    arrays, first = {}, 0
    for tensor in session.get_inputs():
        width = 1 if len(tensor.shape) == 1 else tensor.shape[1]
        block = np.array([row[first : first + width] for row in table], dtype=DTYPES[tensor.type])
        arrays[tensor.name] = block[:, 0] if len(tensor.shape) == 1 else block
        first += width
    return arrays


@app.post("/predict")
@tracer.capture_method
def predict() -> dict:
    """Predict rows: all values in the order of the model's inputs."""
    rows = app.current_event.json_body["rows"]
    outputs = session.run(None, feeds(rows))
    metrics.add_metric(name="rows", unit=MetricUnit.Count, value=len(rows))
    logger.info("predicted", extra={"rows": len(rows)})
    return {
        tensor.name: output.tolist() for tensor, output in zip(session.get_outputs(), outputs, strict=True)
    }


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict, context: object) -> dict:
    """Answer one request."""
    return app.resolve(event, context)
