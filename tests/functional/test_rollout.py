"""Releases step by step on the embedded cloud: a good one, a bad one, another, and back to the first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from command_line import Done, copy_sample, run

RAISES = 'def after(result):\n    raise RuntimeError("not today")\n'
SIGNS = 'def after(result):\n    return result | {"signed": "release 3"}\n'


class Releasing:
    """A sample with a canary, and commands for its local stage."""

    def __init__(self, into: Path) -> None:
        self.folder = copy_sample("tickets", into)
        spec = self.folder / "sls-ml.yaml"
        spec.write_text(spec.read_text() + "rollout: {canary: {percent: 10, minutes: 10}}\n")
        self.hooks = into / "handlers" / "tickets" / "aws" / "predict" / "hooks.py"

    def do(self, *words: str) -> Done:
        """Run a command, and take what comes."""
        return run(self.folder, *words, "--stage", "local")

    def live(self) -> dict[str, Any]:
        """The release that the traffic goes to."""
        releases = self.do("releases", "predict", "--json").document["releases"]
        (live,) = (each for each in releases if each["live"])
        assert live["deployed"]
        found: dict[str, Any] = live
        return found


def test_a_bad_release_is_taken_back_and_a_good_one_can_be(tmp_path: Path) -> None:
    # GIVEN a first release
    project = Releasing(tmp_path)
    try:
        first = project.do("deploy", "--frozen", "--json")
        assert first.code == 0, first.err
        digest = first.document["artifacts"]["topic"]["digest"][:12]
        assert (project.live()["version"], project.live()["models"]) == ("1", {"topic": digest})
        package = project.live()["package_sha256"]
        # WHEN the second fails on an example row
        project.hooks.write_text(RAISES)
        second = project.do("deploy", "--frozen")
        # THEN it is taken back before any traffic goes there, and it is said where the reason is
        assert second.code == 6
        assert "the previous release is back in place" in second.err
        assert "BeforeAllowTraffic" in second.err
        assert "sls-ml logs <function> --check" in second.err
        assert "/predict: status 500" in project.do("logs", "predict", "--check").out
        assert project.live()["version"] == "1"
        assert project.do("invoke", "predict", "--sample", "1").code == 0
        # WHEN the third's hooks change the answer on purpose
        project.hooks.write_text(SIGNS)
        third = project.do("deploy", "--frozen")
        # THEN it goes live
        assert third.code == 0, third.err
        assert project.live()["version"] == "3"
        assert project.do("invoke", "predict", "--sample", "1", "--json").document["signed"] == "release 3"
        assert f"topic {digest}" in project.do("releases").out
        # WHEN the traffic goes back to the first
        back = project.do("rollback", "predict", "1")
        # THEN its package answers, and traffic and stack agree
        assert back.code == 0, back.err
        assert project.live()["package_sha256"] == package
        assert "signed" not in project.do("invoke", "predict", "--sample", "1", "--json").document
        status = project.do("status", "--drift")
        assert (status.code, status.err.strip()) == (0, ""), status.err
    finally:
        run(project.folder, "local", "down")
