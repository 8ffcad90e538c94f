"""The model page: locked down, for every model, and of use by mouse, keyboard and screen reader."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from environments import installed_by_npm
from sls_ml_runtime.page import render
from sls_ml_runtime.serve import Service
from webdriver import AVAILABLE, Browser, browser

MODELS = ("species", "tumour", "topic", "progress")
ANSWERED = "document.querySelector('#answer .main, #answer ul, #answer .error')"


def test_is_there_only_when_asked_for(tumour: Service, ask: Callable[..., Any]) -> None:
    # GIVEN a function without a page WHEN a browser gets it THEN it says that it lives, and no more
    assert ask(tumour, "GET", "/", accept="text/html").json == {"status": "alive"}


def test_is_for_browsers(built: SimpleNamespace, ask: Callable[..., Any]) -> None:
    # GIVEN a function with a page WHEN a client asks whether it lives, as KServe's does THEN it is told so
    service = built.service_of("species", page=True)
    assert ask(service, "GET", "/", accept="*/*").json == {"status": "alive"}
    assert (
        ask(service, "GET", "/", accept="text/html,*/*;q=0.8").headers["content-type"].startswith("text/html")
    )


def test_lets_nothing_run_but_its_own(built: SimpleNamespace, ask: Callable[..., Any]) -> None:
    # GIVEN a page WHEN it is got
    answer = ask(built.service_of(*MODELS, page=True), "GET", "/", accept="text/html")
    text = answer.body.decode()
    policy = answer.headers["content-security-policy"]

    # THEN its policy forbids all but its own script, style and function, and it names no other place
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert policy.startswith("default-src 'none'; connect-src 'self'; ")
    for element in ("style", "script"):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert re.findall(r'(?:src|href)="(?!data:)([^"]*)"', text) == [
        "openapi.json",
        "metadata",
        "openapi.json",
    ]
    assert " style=" not in text
    assert not re.findall(r"\son\w+=", text)


def test_is_a_few_kilobytes(built: SimpleNamespace, ask: Callable[..., Any]) -> None:
    # GIVEN a page WHEN it is got compressed THEN it is small
    service = built.service_of("species", page=True)
    assert len(ask(service, "GET", "/", accept="text/html", accept_encoding="gzip").body) < 8_000


def test_names_cannot_break_out_of_it(built: SimpleNamespace) -> None:
    # GIVEN a model with markup in its names WHEN its page is written
    service = built.service_of("species", page=True)
    nasty = "</script><script>alert(1)</script>{{facts}}"
    manifest = json.loads(json.dumps(service.models["species"].artifact.manifest))
    manifest["inputs"][0]["name"] = manifest["source"]["estimator"] = nasty
    service.models["species"].artifact.manifest = manifest
    service.config["project"] = "<b>&amp;"
    text = render(service)[1].decode()

    # THEN they are data, and data only
    assert text.count("<script") == 2
    (facts,) = re.findall(r'id="data">(.*?)</script>', text)
    assert json.loads(facts)["models"][0]["inputs"][0]["name"] == nasty
    assert "<title>predict · &lt;b>&amp;amp;</title>" in text


def in_browser(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs a browser; it is skipped where there is none."""
    there = pytest.mark.skipif(not AVAILABLE, reason="needs chromium and chromedriver")
    marked: Callable[..., None] = pytest.mark.browser(there(test))
    return marked


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser in daylight."""
    with browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture(scope="module")
def served(built: SimpleNamespace) -> Iterator[dict[str, str]]:
    """Addresses of functions with a page, by their models."""
    several = built.service_of(*MODELS, page=True, auth="iam")
    single = built.service_of("species", page=True)
    with built.served(several) as all_models, built.served(single) as one:
        yield {"all": f"http://{all_models}/", "species": f"http://{one}/"}


@pytest.fixture
def page(window: Browser, served: dict[str, str]) -> Browser:
    """The page of one model, with its first prediction."""
    window.log()
    window.open(served["species"])
    window.wait(ANSWERED)
    return window


@in_browser
def test_predicts_its_example_at_once(page: Browser) -> None:
    # GIVEN a page WHEN it is opened THEN it shows label, bars and time, and its policy forbade it nothing
    assert page.run("return document.querySelector('.main').textContent") == "Adelie"
    widths = page.wait(
        "(all => all.length === 3 && all[0].style.width && all.map(bar => bar.style.width))"
        "([...document.querySelectorAll('li b')])"
    )
    assert widths == ["100%", "0%", "0%"]
    assert re.fullmatch(r"[\d.]+ ms", page.run("return document.getElementById('latency').textContent"))
    assert page.log() == []


@in_browser
def test_is_used_with_the_keyboard(page: Browser) -> None:
    # GIVEN a field with the focus WHEN another value and Enter are typed
    page.run("const field = document.getElementById('field-1'); field.focus(); field.select()")
    page.press("58")
    page.press("enter")

    # THEN the prediction is another
    page.wait("document.querySelector('li .number')?.textContent !== '100.0 %'")

    # AND the tabs are changed by arrows
    page.run("document.getElementById('tab-curl').focus()")
    page.press("right")
    assert page.run("return document.activeElement.id") == "tab-python"
    assert page.run("return document.getElementById('snippet').textContent").startswith("import json")
    page.press("right")
    assert page.run("return document.activeElement.id") == "tab-curl"


@in_browser
def test_leads_to_the_field_that_is_wrong(page: Browser) -> None:
    # GIVEN a text that the model does not know WHEN it is predicted
    page.run(
        "const field = document.getElementById('field-1'); field.type = 'text'; field.value = '1e999';"
        "document.querySelector('button').click()"
    )

    # THEN the refusal is shown, and its field is marked and has the focus
    message = page.wait("document.querySelector('#answer .error')?.textContent")
    assert "bill_length_mm" in message
    assert page.run("return document.activeElement.id") == "field-1"
    assert page.run("return document.activeElement.getAttribute('aria-invalid')") == "true"

    # AND the example row mends it
    page.run("document.querySelector('button[type=reset]').click()")
    page.wait("document.querySelector('#answer .main')")


@in_browser
def test_its_lines_of_code_run(page: Browser) -> None:
    # GIVEN the lines for curl and for Python WHEN they are run as they stand
    shown = []
    for name in ("curl", "python"):
        page.run(f"document.getElementById('tab-{name}').click()")
        shown.append(page.run("return document.getElementById('snippet').textContent"))
    curl = subprocess.run(["sh", "-c", shown[0]], capture_output=True, text=True, check=True)
    python = subprocess.run([sys.executable, "-c", shown[1]], capture_output=True, text=True, check=True)

    # THEN they print the prediction
    assert json.loads(curl.stdout)["label"] == ["Adelie"]
    assert "'label': ['Adelie']" in python.stdout


@in_browser
def test_every_control_has_a_name(page: Browser) -> None:
    # GIVEN all controls WHEN assistive technology asks for their names THEN each has its own
    ids = page.run("return [...document.querySelectorAll('input, select, textarea, button')].map(e => e.id)")
    names = [page.label(f"#{id_}") for id_ in ids if id_ and id_ != "model"]
    assert all(names)
    assert len(set(names)) == len(names)
    assert names[1].startswith("bill_length_mm")


@in_browser
@pytest.mark.parametrize(
    ("auth", "hint", "curl", "python"),
    [
        ("iam", "signed with AWS credentials", "--aws-sigv4", "SigV4Auth"),
        ("jwt", "a token of its issuer", "authorization: Bearer $TOKEN", 'os.environ["TOKEN"]'),
        ("key", "with its key", "x-api-key: $API_KEY", 'os.environ["API_KEY"]'),
    ],
)
def test_tells_how_to_be_let_in(
    window: Browser, built: SimpleNamespace, auth: str, hint: str, curl: str, python: str
) -> None:
    # GIVEN a function that asks who calls WHEN its page is opened
    with built.served(built.service_of("topic", page=True, auth=auth)) as address:
        window.open(f"http://{address}/")
        window.wait(ANSWERED)
        shown = window.run("return document.querySelector('#signing').innerText")
        lines = [window.run("return document.getElementById('snippet').textContent")]
        window.run("document.getElementById('tab-python').click()")
        lines.append(window.run("return document.getElementById('snippet').textContent"))

    # THEN it says so, and its lines do it
    assert hint in shown
    assert curl in lines[0]
    assert python in lines[1]
    compile(lines[1], "snippet", "exec")


@in_browser
def test_shows_every_model_of_its_function(window: Browser, served: dict[str, str]) -> None:
    # GIVEN a function with several models WHEN each is chosen THEN its form and prediction are shown
    window.open(served["all"])
    window.log()
    shown = {}
    for name in MODELS:
        window.run(
            "const choice = document.getElementById('model'); choice.value = arguments[0];"
            "document.getElementById('answer').replaceChildren(); choice.dispatchEvent(new Event('change'))",
            name,
        )
        shown[name] = window.wait("document.querySelector('#answer .main')?.textContent")
    assert (shown["species"], shown["tumour"]) == ("Adelie", "benign")
    assert float(shown["progress"]) > 0
    assert window.log() == []


@pytest.fixture(scope="module")
def wide(built: SimpleNamespace) -> Iterator[str]:
    """The address of a page with sixty inputs and ten classes."""
    classes = [f"a class with a name that is rather long {index}" for index in range(10)]

    def before(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{name: value for name, value in row.items() if name in known} for row in rows]

    def after(result: dict[str, Any]) -> dict[str, Any]:
        return result | {"classes": classes, "label": classes[:1], "probability": [[0.19, *[0.09] * 9]]}

    hooks = SimpleNamespace(before=before, after=after)
    service = built.service_of("species", page=True, hooks=hooks)
    artifact = service.models["species"].artifact
    manifest = json.loads(json.dumps(artifact.manifest))
    known = {field["name"] for field in manifest["inputs"]}
    names = [f"measurement_of_a_sensor_with_a_long_name_{index}" for index in range(54)]
    manifest["inputs"] += [{"name": name, "dtype": "float64", "nullable": False} for name in names]
    manifest["example"] = [row | dict.fromkeys(names, 1234567.125) for row in manifest["example"]]
    artifact.manifest = manifest
    with built.served(service) as address:
        yield f"http://{address}/"


@in_browser
@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("models", ["all", "species", "wide"])
def test_fits_every_screen(
    window: Browser, served: dict[str, str], wide: str, models: str, width: int
) -> None:
    # GIVEN a screen WHEN a page is opened and asked
    window.resize(width)
    window.open(wide if models == "wide" else served[models])
    window.wait(ANSWERED)
    window.run("document.getElementById('answer').replaceChildren(); scrollTo(0, 0)")
    window.run("document.querySelector('button.go').click()")
    window.wait(ANSWERED)

    # THEN nothing is beyond its right edge, and the prediction is in sight
    assert window.run("return document.documentElement.scrollWidth") <= width
    assert window.wait(
        "(box => box.top < innerHeight - 80 && box.bottom > 0)"
        "(document.querySelector('#result').getBoundingClientRect())"
    )
    if models == "wide":
        assert window.run("return document.querySelector('#answer ul').innerText").endswith(
            "and 2 more classes"
        )


@in_browser
def test_a_small_screen_shows_a_refusal_at_its_field(window: Browser, served: dict[str, str]) -> None:
    # GIVEN a telephone WHEN a value is wrong
    window.resize(390)
    window.open(served["species"])
    window.wait(ANSWERED)
    window.run(
        "const field = document.getElementById('field-1'); field.type = 'text'; field.value = '1e999';"
        "document.querySelector('button.go').click()"
    )

    # THEN what is wrong stands below the field, once
    window.wait("document.querySelector('#field-1 + .near')?.textContent.includes('bill_length_mm')")
    window.run("document.querySelector('button.go').click()")
    window.wait("document.querySelectorAll('.near').length === 1")

    # AND goes away with the mistake
    window.run("document.querySelector('button[type=reset]').click()")
    window.wait("document.querySelector('#answer .main')")
    assert window.run("return document.querySelector('.near')") is None
    window.resize(1180)


CONTRAST = """
const channel = value => (value /= 255) <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
const numbers = color => color.match(/[\\d.]+/g).map(Number);
const ground = element => {
  for (; element; element = element.parentElement) {
    const color = numbers(getComputedStyle(element).backgroundColor);
    if (color.length < 4 || color[3] > 0) return color;
  }
  return [255, 255, 255];
};
const texts = "h1, h2, p, label span, input, select, button, li span, pre, a, #facts span";
return [...document.querySelectorAll(texts)]
  .filter(element => element.offsetParent && (element.value || element.textContent))
  .map(element => {
    const text = light(numbers(getComputedStyle(element).color)) + .05, behind = light(ground(element)) + .05;
    return [Math.max(text / behind, behind / text), element.outerHTML.slice(0, 80)];
  }).sort((a, b) => a[0] - b[0])[0];
"""


@in_browser
@pytest.mark.parametrize("dark", [False, True])
def test_is_legible_by_day_and_night(
    tmp_path_factory: pytest.TempPathFactory, served: dict[str, str], dark: bool
) -> None:
    # GIVEN a browser that prefers light or dark WHEN the page is opened
    with browser(tmp_path_factory.mktemp("profile"), dark=dark) as window:
        window.open(served["all"])
        window.wait(ANSWERED)
        worst = window.run(CONTRAST)
        ground = window.run("return getComputedStyle(document.body).backgroundColor")

    # THEN it is so, and all text stands out as WCAG AA asks
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == dark
    assert worst[0] >= 4.5, worst


@in_browser
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(
    tmp_path_factory: pytest.TempPathFactory, served: dict[str, str], wide: str, dark: bool
) -> None:
    # GIVEN axe-core, which knows what keeps people out WHEN it looks at pages of all models
    lock = Path(__file__).parent / "axe" / "package-lock.json"
    axe = (installed_by_npm(lock) / "node_modules" / "axe-core" / "axe.min.js").read_text()
    found = []
    with browser(tmp_path_factory.mktemp("profile"), dark=dark) as window:
        for width in (390, 1280):
            window.resize(width)
            for address in (*served.values(), wide):
                window.open(address)
                window.wait(ANSWERED)
                found += window.audit(axe)

        # AND at one with a refusal
        window.run(
            "const field = document.getElementById('field-1'); field.type = 'text'; field.value = '1e999';"
            "document.querySelector('button.go').click()"
        )
        window.wait("document.querySelector('#answer .error')")
        found += window.audit(axe)

    # THEN it has nothing to say
    assert found == []
