"""Where the time of a start is counted."""

from __future__ import annotations

from sls_ml.measure.profile import nested, shares
from sls_ml.measure.start import Mark

MARKS = (
    Mark("phase", "start", 0.0, 0.100),
    Mark("phase", "interpreter", 0.0, 0.010),
    Mark("phase", "client", 0.010, 0.030),
    Mark("import", "logging", 0.012, 0.020),
    Mark("phase", "function", 0.040, 0.090),
    Mark("import", "handler", 0.040, 0.090),
    Mark("import", "numpy.core", 0.045, 0.055),
    Mark("phase", "session", 0.060, 0.080),
    Mark("import", "ctypes", 0.062, 0.067),
    Mark("phase", "request", 0.092, 0.095),
)


def test_time_is_counted_once_and_where_it_is_spent() -> None:
    # GIVEN a start with an import inside a session, and imports of the client
    # WHEN its time is shared out
    found = {(share.phase, share.module): round(share.milliseconds, 6) for share in shares([MARKS])}
    # THEN what the client imports is the client's, and an import inside a phase is an import
    assert found == {
        ("interpreter", ""): 10,
        ("client", ""): 20,
        ("imports", "handler"): 20,
        ("imports", "numpy"): 10,
        ("imports", "ctypes"): 5,
        ("session", ""): 15,
        ("request", ""): 3,
        ("rest", ""): 17,
    }
    # THEN all of it together is the whole start
    assert sum(found.values()) == 100


def test_a_module_that_only_one_start_imported_does_not_lead_the_table() -> None:
    # GIVEN three starts, one of which imports something more
    odd = (*MARKS, Mark("import", "rare", 0.081, 0.089))
    # WHEN their medians are taken
    found = {share.module: share.milliseconds for share in shares([MARKS, odd, MARKS])}
    # THEN that module counts nothing
    assert found["rare"] == 0.0


def test_marks_are_nested_by_their_times() -> None:
    # GIVEN marks in the order in which they ended
    # WHEN they are nested
    depths = {mark.name: depth for depth, mark in nested(sorted(MARKS, key=lambda mark: mark.ended))}
    # THEN each knows how deep it lies
    assert depths["start"] == 0
    assert depths["client"] == depths["function"] == 1
    assert depths["ctypes"] == depths["session"] + 1
