"""Let random numbers differ between environments that are restored from one snapshot.

Imported only with SnapStart. What asks the operating system (`os.urandom`, `secrets`, `uuid.uuid4`) needs
none of this.
"""

from __future__ import annotations

import sys


def renew_when_restored() -> None:
    """Seed the shared generators of `random` and numpy again whenever a snapshot is restored."""
    from snapshot_restore_py import register_after_restore

    register_after_restore(renew)


def renew() -> None:
    """Seed the shared generators that are loaded from the operating system's randomness."""
    for name in ("random", "numpy.random"):
        if (module := sys.modules.get(name)) is not None:
            module.seed()
