"""What stages share: progress in bytes."""

from __future__ import annotations

import logging

import pytest

from tvface.runtime import progress


def test_progress_in_bytes_comes_every_ten_seconds_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seconds = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds)
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: False, raising=False)
    with caplog.at_level(logging.INFO, "tvface.progress"), progress.ByteProgress("archive", 8_000_000_000) as reading:
        for step in range(1, 41):
            seconds = step
            reading.at(step * 200_000_000, f"{step} episodes")
        reading.at(8_000_000_000)
    assert [record.message for record in caplog.records] == [
        "archive: 2.00 of 8.00 GB, 200 MB/s, 30 s left; 10 episodes",
        "archive: 4.00 of 8.00 GB, 200 MB/s, 20 s left; 20 episodes",
        "archive: 6.00 of 8.00 GB, 200 MB/s, 10 s left; 30 episodes",
        "archive: 8.00 of 8.00 GB, 200 MB/s, 0 s left; 40 episodes",
    ]
