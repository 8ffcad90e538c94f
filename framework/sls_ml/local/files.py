"""The files of one embedded cloud, under ``<project folder>/.sls-ml/local``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Endpoint:
    """Where the embedded cloud of a project answers, and the keys of its administrator."""

    url: str
    region: str
    account: str
    access_key: str
    secret_key: str = field(repr=False)
    pid: int


@dataclass(frozen=True)
class Files:
    """Paths of one embedded cloud."""

    root: Path

    @classmethod
    def of(cls, folder: Path) -> Files:
        """The files of a project's cloud; the folder is made, readable by its owner only."""
        root = folder.resolve() / ".sls-ml" / "local"
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o700)
        return cls(root)

    @property
    def state(self) -> Path:
        """Endpoint and keys of the running daemon."""
        return self.root / "state.json"

    @property
    def log(self) -> Path:
        """What the daemon says."""
        return self.root / "daemon.log"

    @property
    def life_lock(self) -> Path:
        """Held by the daemon for as long as it lives."""
        return self.root / "daemon.lock"

    @property
    def start_lock(self) -> Path:
        """Held by whoever starts or ends a daemon."""
        return self.root / "start.lock"

    @property
    def children(self) -> Path:
        """The function processes that the daemon started: this folder, then ids and start times."""
        return self.root / "children"

    @property
    def ports(self) -> Path:
        """Ports by function URL; ``cloud`` is the cloud's own."""
        return self.root / "ports.json"

    @property
    def code(self) -> Path:
        """Unpacked packages by digest."""
        return self.root / "code"

    @property
    def temporary(self) -> Path:
        """Temporary folders of the execution environments."""
        return self.root / "tmp"

    def write_state(self, endpoint: Endpoint, started: str | None, code: str = "") -> None:
        """Write the state at once, for its owner only: the endpoint, its start, the code it runs."""
        partial = self.root / "state.json.new"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            state = {**asdict(endpoint), "started": started, "code": code, "root": str(self.root)}
            json.dump(state, file)
        partial.replace(self.state)

    def read_code(self) -> str:
        """What tells the code of the running daemon; empty when none is known."""
        try:
            return str(json.loads(self.state.read_text())["code"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def read_state(self) -> tuple[Endpoint, str | None] | None:
        """The endpoint and the start time of its process; None without a state of this very folder."""
        try:
            values = json.loads(self.state.read_text())
            started, root = values.pop("started"), values.pop("root")
            values.pop("code", None)
            return (Endpoint(**values), started) if root == str(self.root) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
