"""What README, quickstart and the samples' pages tell a newcomer to run, run in a clean folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import ROOT, copy_sample, environment, run

BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)
TESTED = re.compile(r"<!-- tested.*?-->\n```(sh|python)\n(.*?)```", re.DOTALL)
TOML = re.compile(r"```toml\n(# (\S+)\n.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]
SAMPLES = sorted(path.parent.name for path in ROOT.glob("samples/*/README.md"))


@pytest.fixture
def commands(tmp_path: Path) -> dict[str, str]:
    """An environment in which `sls-ml` and `python` are the ones under test."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, words in (("sls-ml", "-m sls_ml"), ("python", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        program.chmod(0o755)
    return environment(PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def clean(tmp_path: Path) -> Iterator[Path]:
    """A folder with nothing in it, whose cloud ends with the test."""
    folder = tmp_path / "clean"
    folder.mkdir()
    yield folder
    if (folder / "sls-ml.yaml").exists():
        run(folder, "local", "down")


def follow(language: str, text: str, folder: Path, commands: dict[str, str]) -> str:
    """Run a block as a newcomer pastes it; what the page says to install is installed."""
    if language == "python":
        words = [sys.executable, "-c", text]
    else:
        lines = [line for line in text.splitlines() if not line.startswith("pip install")]
        words = ["sh", "-euxc", "\n".join(lines)]
    done = subprocess.run(
        words, cwd=folder, env=commands, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_quickstart_runs_as_it_is_written(clean: Path, commands: dict[str, str]) -> None:
    # GIVEN an empty folder
    # WHEN every tested block of the quickstart is run in order
    blocks = TESTED.findall((ROOT / "docs" / "quickstart.md").read_text())
    said = [follow(language, text, clean, commands) for language, text in blocks]
    # THEN a model was deployed, asked, and scored a file
    assert len(blocks) == 5
    assert "deployed tumours to local" in said[2]
    assert "100 rows in = 100 scored + 0 rejected" in said[3]


def test_the_readme_runs_as_it_is_written(clean: Path, commands: dict[str, str]) -> None:
    # GIVEN a folder with a model and a sample
    for file in ("model.skops", "sample.csv"):
        shutil.copy(ROOT / "samples" / "breast-cancer" / file, clean)
    # WHEN the block of the README is run
    ((language, text),) = TESTED.findall((ROOT / "README.md").read_text())
    said = follow(language, text, clean, commands)
    # THEN it ends with scored rows
    assert "deployed credit-risk to local" in said
    assert re.search(r"\d+ rows in = \d+ scored", said)
    # THEN the spec is the one that the README shows
    written = (clean / "sls-ml.yaml").read_text()
    for line in ("project: credit-risk", "objects: {format: csv}", "http: {auth: iam}"):
        assert line in written
        assert line in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_run_as_their_pages_say(name: str, tmp_path: Path, commands: dict[str, str]) -> None:
    # GIVEN a copy of a sample
    sample = copy_sample(name, tmp_path)
    try:
        # WHEN the commands of its page are run
        ((language, text),) = BLOCK.findall((sample / "README.md").read_text())
        said = follow(language, text, sample, commands)
    finally:
        run(sample, "local", "down")
    # THEN it was deployed, and ended
    assert f"deployed {name} to local" in said
    assert "the embedded cloud has stopped" in said


@pytest.mark.parametrize(
    ("page", "said"),
    [("cost", "the same month"), ("hooks", "the function serves no page"), ("scaling", "recommended")],
)
def test_the_commands_of_a_page_run_as_they_stand(
    page: str, said: str, tmp_path: Path, commands: dict[str, str]
) -> None:
    # GIVEN a sample, and the file that the page shows
    sample = copy_sample("breast-cancer", tmp_path)
    text = (ROOT / "docs" / f"{page}.md").read_text()
    for content, name in TOML.findall(text):
        (sample / name).write_text(content)
    try:
        # WHEN its commands are run in order
        blocks = [follow(language, block, sample, commands) for language, block in BLOCK.findall(text)]
    finally:
        run(sample, "local", "down")
    # THEN they tell what the page says
    assert said in "".join(blocks)


@pytest.mark.parametrize("page", [*PAGES, *ROOT.glob("samples/*/README.md")], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
