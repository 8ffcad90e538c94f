"""The model page: one file without network but the function itself, locked down by its own policy."""

# pathlib costs milliseconds.
# ruff: noqa: PTH118, PTH120, PTH123

from __future__ import annotations

import os

from sls_ml_runtime.dialects.rows import write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sls_ml_runtime.serve import Service


def render(service: Service) -> tuple[dict[str, str], bytes]:
    """The page of a function.

    Args:
        service: Its models are offered with their example rows.

    Returns:
        Headers with a policy that lets nothing run but the page's own script and style, and the page.
    """
    with open(os.path.join(os.path.dirname(__file__), "page.html"), encoding="utf-8") as file:
        template = file.read()
    # In JSON inside of HTML "<" is written as its escape, so that no text can end the element.
    facts = write_json(_facts(service)).replace(b"<", b"\\u003c").decode()
    text = template.replace("{{title}}", _escaped(_title(service))).replace("{{facts}}", facts)
    policy = (
        "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors 'none'; style-src {_hash(text, 'style')}; script-src {_hash(text, 'script')}"
    )
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache",
    }
    return headers, text.encode()


def _title(service: Service) -> str:
    return f"{service.config['function']} · {service.config['project']}"


def _facts(service: Service) -> dict[str, Any]:
    single = len(service.models) == 1
    models = []
    for name, model in service.models.items():
        manifest = model.artifact.manifest
        models.append(
            {
                "name": name,
                "digest": model.artifact.digest[:12],
                "engine": model.engine.name,
                "kind": manifest["kind"],
                "source": manifest["source"],
                "path": "predict" if single else f"models/{name}/predict",
                "inputs": [
                    {key: entry.get(key) for key in ("name", "dtype", "nullable", "categories", "range")}
                    for entry in manifest["inputs"]
                ],
                "example": (manifest["example"] or [{}])[0],
            }
        )
    http = service.config.get("http") or {}
    return {
        "project": service.config["project"],
        "function": service.config["function"],
        "auth": http.get("auth", "public"),
        "region": os.environ.get("AWS_REGION", ""),
        "models": models,
    }


def _hash(text: str, element: str) -> str:
    """The source expression that allows the one inline element of this name."""
    from binascii import b2a_base64
    from hashlib import sha256

    start = text.index(f"<{element}>") + len(element) + 2
    content = text[start : text.index(f"</{element}>", start)]
    return f"'sha256-{b2a_base64(sha256(content.encode()).digest(), newline=False).decode()}'"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
