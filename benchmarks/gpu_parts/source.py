"""Which code is measured."""

from __future__ import annotations

import datetime
import hashlib
import subprocess
from typing import Any

from benchmarks.gpu_parts import ROOT


def source(commit: str = "") -> dict[str, Any]:
    """Return date (UTC), commit, whether tracked files differ from it, and a digest of the Python files.

    The digest also tells the code where git or the repository is absent, as in a copy of the files.

    Args:
        commit: given by the caller, for copies without git.
    """
    now = datetime.datetime.now(datetime.UTC)
    head_commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no") if head_commit else None
    return {
        "date": now.strftime("%Y-%m-%d"),
        "time": now.strftime("%H:%M UTC"),
        "commit": head_commit or commit or "unknown (no git here)",
        "dirty": None if changed is None else bool(changed),
        "sources": _digest(),
    }


def _git(*words: str) -> str | None:
    """Return what git says; None where it or the repository is absent."""
    # The files may belong to another user, as in a container.
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), *words]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _digest() -> str:
    total = hashlib.sha256()
    for path in sorted(path for folder in ("src", "benchmarks") for path in (ROOT / folder).rglob("*.py")):
        total.update(path.relative_to(ROOT).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]
