"""Requests that have broken servers: bodies for the penguins' model, and events that are no requests."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from typing import Any

SECRET = "s3cr3t-p4yl0ad"
POSTS = (
    "/predict", "/", "/models/species/predict", "/invocations", "/v1/models/species:predict",
    "/v2/models/species/infer", "/v2/models/species",
)  # fmt: skip
MEDIA = (
    "application/json", "text/csv", "text/csv; header=present", "text/csv; header=absent",
    "application/jsonlines", "application/octet-stream",
)  # fmt: skip
KEYS = (
    "rows", "columns", "instances", "inputs", "dataframe_split", "dataframe_records", "data", "params", "id",
    "name", "shape", "datatype", "parameters", "binary_data_size", "outputs", "features", "island", "sex",
    "bill_length_mm", "body_mass_g",
)  # fmt: skip


def deep(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def row(**values: Any) -> bytes:
    return json.dumps({"rows": [values]}).encode()


def v2(tensor: dict[str, Any]) -> bytes:
    return json.dumps({"inputs": [{"name": "x", "shape": [1, 6], "datatype": "FP64"} | tensor]}).encode()


BODIES = {
    "nothing": b"",
    "a blank": b" ",
    "null": b"null",
    "a number": b"1",
    "a text": b'"x"',
    "deep lists": deep(100_000),
    "deep objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "half of deep lists": b"[" * 100_000,
    "brackets in a text": b'{"island":"' + b"[" * 100_000 + b'"}',
    "brackets behind a quote": b'"\\"' + b"[" * 100_000,
    "many digits": b'{"rows":[{"bill_length_mm":' + b"9" * 200_000 + b"}]}",
    "a huge number": row(bill_length_mm=10**400),
    "a huge exponent": b'{"rows":[{"bill_length_mm":1e999999}]}',
    "a tiny exponent": b'{"rows":[{"bill_length_mm":1e-999999}]}',
    "NaN": b'{"rows":[{"bill_length_mm":NaN}]}',
    "Infinity": b'[{"bill_length_mm":-Infinity}]',
    "half a surrogate": b'{"rows":[{"island":"\\ud800"}]}',
    "half a surrogate as a name": b'{"rows":[{"\\udfff":1}]}',
    "half a surrogate as a column": b'{"columns":{"\\udfff":1}}',
    "half a surrogate as an id": b'{"id":"\\ud800","inputs":[{"name":"\\ud801","shape":[1],'
    b'"datatype":"BYTES","data":["\\ud802"]}],"outputs":[{"name":"\\ud803"}]}',
    "half a surrogate in params": b'{"instances":[],"params":{"\\ud800":1}}',
    "a zero character": row(island="\0"),
    "broken UTF-8": b'{"rows":[{"island":"\xff"}]}',
    "overlong UTF-8": b'"\xc0\xaf"',
    "a BOM": b"\xef\xbb\xbf[]",
    "UTF-16": "[]".encode("utf-16"),
    "the same key twice": b'{"rows":[{"sex":"male","sex":1}],"rows":3}',
    "a comment": b"[/* */]",
    "a trailing comma": b"[{},]",
    "two documents": b"{}{}",
    "an empty name": row(**{"": 1}),
    "a name of a method": row(__class__=1, __proto__=2),
    "rows that are none": b'{"rows":[1,null,[],"x"]}',
    "rows of lists": b'[[1,2,3,4,5,6],[1,2,3,4,5]]',
    "many rows": b"[" + b"{}," * 50_000 + b"{}]",
    "many names": json.dumps([{f"n{index}": 1 for index in range(20_000)}]).encode(),
    "ragged columns": b'{"columns":{"island":["a"],"sex":[]}}',
    "columns of columns": b'{"columns":{"columns":{"columns":[]}}}',
    "a negative shape": v2({"shape": [-1, -6], "data": [1] * 6}),
    "a huge shape": v2({"shape": [2**62, 2**62], "data": [1] * 6}),
    "a shape of truth": v2({"shape": [True, 6], "data": [1] * 6}),
    "a shape of floats": v2({"shape": [1.0, 6], "data": [1] * 6}),
    "data of objects": v2({"data": [{}] * 6}),
    "data of lists of lists": v2({"data": [[[1], 2, 3, 4, 5, 6]]}),
    "no bytes for a size": v2({"parameters": {"binary_data_size": 48}}),
    "a negative size": v2({"parameters": {"binary_data_size": -48}}),
    "a datatype that is a list": v2({"datatype": [], "data": []}),
    "half a number": v2({"datatype": "FP16", "data": [1e300] * 6}),
    "a number out of its type": v2({"datatype": "UINT64", "data": [-1] * 6}),
    "CSV with an open quote": b'island,sex\n"a',
    "CSV with zero characters": b"island\n\0\n",
    "CSV of commas": b"," * 200_000,
    "CSV of quotes": b'"' * 200_001,
    "CSV of lines": b"\r\n\n\r" * 10_000,
    "CSV with other digits": "bill_length_mm\n\u0661\u0662\n".encode(),
}  # fmt: skip


COMPRESSED = {
    "a bomb cut off": (gzip.compress(b"\0" * 300_000_000, 9, mtime=0)[:260_000], 413),
    "a bomb": (gzip.compress(b"[" + b" " * 50_000_000 + b"]", 9, mtime=0), 413),
    "gzip in gzip": (gzip.compress(gzip.compress(b"[]" * 1000, mtime=0), mtime=0), 400),
    "gzip cut off": (gzip.compress(b'{"rows":[]}', mtime=0)[:-1], 400),
    "gzip of a few bytes": (gzip.compress(b'{"rows":[]}', mtime=0)[:5], 400),
    "no gzip at all": (b"", 400),
    "a head of gzip": (b"\x1f\x8b", 400),
    "gzip with another sum": (gzip.compress(b'{"rows":[]}', mtime=0)[:-8] + b"\0" * 8, 400),
}
"""Bodies that say they are gzip, and the status that a function with `max_body: 256KB` refuses them with."""


def request(path: str = "/predict", body: Any = "[]", method: str = "POST", **headers: Any) -> dict[str, Any]:
    """An event of a function URL; header names have ``_`` for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"} | named,
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
        "body": body,
        "isBase64Encoded": False,
    }


def sent(path: str, body: bytes, kind: str, **headers: str) -> dict[str, Any]:
    """A request whose body travels in base64."""
    whole = request(path, base64.b64encode(body).decode(), content_type=kind, **headers)
    return whole | {"isBase64Encoded": True}


def _without(*keys: str) -> dict[str, Any]:
    """A request that lacks what is at the end of some keys."""
    event = copy.deepcopy(request())
    inner = event
    for key in keys[:-1]:
        inner = inner[key]
    del inner[keys[-1]]
    return event


_CONTEXT = request()["requestContext"]
EVENTS: dict[str, Any] = {
    "null": None,
    "a number": 7,
    "a text": SECRET,
    "a list": [SECRET],
    "an empty object": {},
    **{f"no {key}": _without(key) for key in request()},
    "no http": _without("requestContext", "http"),
    "no method": _without("requestContext", "http", "method"),
    "no stage": _without("requestContext", "stage"),
    **{
        f"{key} is {json.dumps(value)}": request() | {key: value}
        for key in request()
        for value in (None, 7, True, SECRET, [SECRET], {SECRET: SECRET})
    },
    **{
        f"http is {json.dumps(value)}": request() | {"requestContext": {"http": value}}
        for value in (None, 7, [], SECRET)
    },
    "a stage of lists": request() | {"requestContext": _CONTEXT | {"stage": [SECRET]}},
    "a stage of nothing": request() | {"requestContext": _CONTEXT | {"stage": ""}},
    "a method of lists": request() | {"requestContext": {"http": {"method": [SECRET]}}},
    "a method of their own": request(method=SECRET),
    "a method of ours": request("/species", method="raw"),
    "a method of lines": request(method=f"GET\n{SECRET}\n"),
    "a path of their own": request(f"/{SECRET}"),
    "a path without a slash": request("predict"),
    "a path of lines": request(f"/predict\n{SECRET}"),
    "a path of slashes": request("/" * 100_000),
    "a path of per cents": request("/%" * 100_000),
    "text that says it is base64": request(body=f"no base64: {SECRET}") | {"isBase64Encoded": True},
    "base64 cut off": sent("/predict", b"[]", "") | {"body": "W10"},
    "base64 with lines": sent("/predict", b"[]", "") | {"body": "W1\n0=\n"},
    "base64 with other letters": sent("/predict", b"[]", "") | {"body": "\u0391W10="},
    "base64 that says it is text": request(body=base64.b64encode(b"[]").decode()),
    "a flag in words": request() | {"isBase64Encoded": "false"},
    "half a surrogate": request(body='[{"island":"\ud800"}]'),
    "half a surrogate in a path": request("/\ud800"),
    "half a surrogate in a header": request(accept="\ud800", origin="\udfff"),
    "headers of lists": request(accept=[SECRET], content_encoding=["gzip"], content_type=["text/csv"]),
    "headers of nothing": request(accept=None, content_encoding=None, content_type=None),
    "headers of objects": request(accept={SECRET: 1}, content_length={}),
    "headers of numbers": request(accept=1, content_type=2, content_length=-1),
    "headers in capitals": request() | {"headers": {"Content-Type": "application/json", "ACCEPT": SECRET}},
    "the same header twice": request() | {"headers": {"Accept": "text/csv", "accept": "application/json"}},
    "headers joined by commas": request(accept="a/b, c/d;q=0, */*;q=" + "9" * 400, origin="null, null"),
    "a huge header": request(accept=SECRET * 100_000, origin=SECRET * 100_000),
    "many headers": request() | {"headers": {f"{SECRET}-{index}": SECRET for index in range(20_000)}},
    "many values": request() | {"multiValueHeaders": {"accept": [SECRET] * 1000}, "cookies": [SECRET] * 1000},
    "a load balancer": {
        "requestContext": {"elb": {"targetGroupArn": SECRET}}, "httpMethod": "POST", "path": "/predict",
        "queryStringParameters": {}, "multiValueHeaders": {"accept": [SECRET]}, "body": SECRET,
        "isBase64Encoded": False,
    },
    "payload format 1.0": {
        "version": "1.0", "resource": "/predict", "path": "/predict", "httpMethod": "POST",
        "headers": {"accept": SECRET}, "multiValueHeaders": {"accept": [SECRET]},
        "requestContext": {"httpMethod": "POST", "stage": "$default"}, "body": SECRET,
    },
    "a web socket": {"requestContext": {"eventType": "MESSAGE", "connectionId": SECRET}, "body": SECRET},
    "a schedule": {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {SECRET: SECRET}},
    "a queue": {"Records": [{"eventSource": "aws:sqs", "body": SECRET}]},
    "a table": {"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {"Keys": {SECRET: {"S": SECRET}}}}]},
    "a check of no model": {"sls-ml-check": SECRET, "rows": [SECRET]},
    "a check of lists": {"sls-ml-check": [SECRET], "rows": [[SECRET]]},
    "a check without rows": {"sls-ml-check": "species"},
    "a check of nonsense": {"sls-ml-check": "species", "rows": {SECRET: [SECRET]}},
    "a check over HTTP": request() | {"sls-ml-check": "species", "rows": [{SECRET: 1}]},
    "a check with half a surrogate": {"sls-ml-check": "\ud800", "rows": "\ud800"},
}  # fmt: skip
