"""A headless Chromium, driven over chromedriver's own HTTP interface."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1180,1000", "--hide-scrollbars",
]  # fmt: skip
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"enter": "\ue007", "tab": "\ue004", "right": "\ue014", "backspace": "\ue003"}

AVAILABLE = shutil.which("chromedriver") is not None and shutil.which("chromium") is not None


class Browser:
    """One window."""

    def __init__(self, session: str, http: httpx.Client) -> None:
        self._session = session
        self._http = http

    def _call(self, method: str, path: str, **body: Any) -> Any:
        answer = self._http.request(method, self._session + path, json=body if method == "POST" else None)
        value = answer.json()["value"]
        assert answer.status_code == 200, value
        return value

    def open(self, url: str) -> None:
        """Load a page."""
        self._call("POST", "/url", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page; gives what it returns."""
        return self._call("POST", "/execute/sync", script=script, args=list(arguments))

    def audit(self, axe: str) -> list[Any]:
        """What axe-core, given as its source, finds wrong: rule, what it says, and where."""
        self._call("POST", "/goog/cdp/execute", cmd="Runtime.evaluate", params={"expression": axe})
        script = (
            "const done = arguments[0]; axe.run(document).then(result => done(result.violations.map("
            "each => [each.id, each.help, ...each.nodes.map(node => node.html.slice(0, 120))])));"
        )
        found: list[Any] = self._call("POST", "/execute/async", script=script, args=[])
        return found

    def wait(self, condition: str) -> Any:
        """Wait until a JavaScript expression is true; gives its value."""
        script = (
            f"const done = arguments[0], look = () => {{ const value = ({condition}); "
            "value ? done(value) : setTimeout(look, 10); }; look();"
        )
        return self._call("POST", "/execute/async", script=script, args=[])

    def resize(self, width: int) -> None:
        """Make the page as wide as a screen, a telephone's below 500 pixels."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self._call("POST", "/goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=size)

    def press(self, keys: str) -> None:
        """Press keys in the element that has the focus; names of `KEYS` are one key."""
        text = KEYS.get(keys, keys)
        actions = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._call("POST", "/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def label(self, selector: str) -> str:
        """The name that assistive technology reads for an element."""
        element = self._call("POST", "/element", using="css selector", value=selector)[ELEMENT]
        label: str = self._call("GET", f"/element/{element}/computedlabel")
        return label

    def log(self) -> list[str]:
        """Messages of the console, with what the page's policy forbids."""
        return [entry["message"] for entry in self._call("POST", "/se/log", type="browser")]


@contextmanager
def browser(folder: Path, *, dark: bool = False) -> Iterator[Browser]:
    """Start a Chromium with a profile in `folder`."""
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    try:
        started = next(line for line in driver.stdout if "started successfully" in line)
        port = re.findall(r"\d+", started)[-1]
        flags = [*FLAGS, f"--user-data-dir={folder}"]
        if dark:
            flags.append("--blink-settings=preferredColorScheme=0")
        options = {"goog:chromeOptions": {"args": flags}, "goog:loggingPrefs": {"browser": "ALL"}}
        with httpx.Client(timeout=60) as http:
            base = f"http://127.0.0.1:{port}/session"
            given = http.post(base, json={"capabilities": {"alwaysMatch": options}}).json()["value"]
            assert "sessionId" in given, given
            session = f"{base}/{given['sessionId']}"
            try:
                yield Browser(session, http)
            finally:
                http.delete(session)
    finally:
        driver.terminate()
        driver.wait()
        driver.stdout.close()
