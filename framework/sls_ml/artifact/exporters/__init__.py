"""One file per library: a fitted model becomes an ONNX graph."""
