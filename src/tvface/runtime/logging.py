"""The log of a process."""

from __future__ import annotations

import logging
import sys
from pathlib import Path


def logger(name: str) -> logging.Logger:
    """Return the stage's logger (``tvface.<name>``); handlers are set by the command or script that runs it."""
    return logging.getLogger(f"tvface.{name}")


LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def start_logging(path: Path | None = None, level: int = logging.INFO) -> None:
    """Send the log of this process, with the warnings of libraries, to the terminal and, if set, to a file."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(path, mode="w", encoding="utf-8"))
    logging.basicConfig(level=level, format=LOG_FORMAT, datefmt="%H:%M:%S", handlers=handlers, force=True)
    logging.captureWarnings(True)
