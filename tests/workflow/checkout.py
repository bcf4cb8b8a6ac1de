"""A copy of the project in which Snakemake can be asked what it would do, with outputs that look finished."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tvface.assets import registry as assets

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "config.yaml", "rules", "workflow", "envs", "src", "resources")


class Checkout:
    """The project copied to a folder, so that its files can be edited."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        ignored = shutil.ignore_patterns("__pycache__", "licensed", "*.egg-info", "*.pth", "*.pt", "*.pkl")
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=ignored)
            else:
                shutil.copy(source, folder / part)
        # The bundled networks count as present: what they hold does not matter to a dry run.
        assets.registry.cache_clear()
        for row in assets.registry().values():
            path = folder / "resources" / row.file
            if not row.url and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"stand-in")

    @classmethod
    def at(cls, folder: Path) -> Checkout:
        """Return the copy that is in a folder already."""
        checkout = cls.__new__(cls)
        checkout.folder = folder
        return checkout

    def clone(self, folder: Path) -> Checkout:
        """Copy the folder as it stands to another place: results, what Snakemake knows of them, times of files."""
        shutil.copytree(self.folder, folder)
        return self.at(folder)

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the copy, with the package of the copy."""
        # The last would make every job compile the copy's package anew.
        unwanted = ("PYTHONPATH", assets.FOLDER_VARIABLE, "PYTHONDONTWRITEBYTECODE")
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=self.folder,
            env={key: value for key, value in os.environ.items() if key not in unwanted},
            capture_output=True,
            text=True,
            timeout=3600,  # nothing but a hang takes that long, however busy the machine is
            check=False,
        )

    def messages(self, *arguments: str) -> list[str]:
        """Return the messages of the jobs that Snakemake would run, e.g. ``landmarks: 68 points in demo_s01e01``."""
        answer = self.snakemake("--dry-run", *arguments)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        lines = (answer.stdout + answer.stderr).splitlines()
        messages = [line.partition(": ")[2] for line in lines if line.startswith("Job ")]
        return [message for message in messages if message]  # rules that only collect targets have no message

    def summary(self, *arguments: str) -> list[dict[str, str]]:
        """Return Snakemake's table of all files of the run: output_file, rule, input-file(s), plan ..."""
        answer = self.snakemake("--detailed-summary", *arguments)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        start = answer.stdout.index("output_file\t")
        return list(csv.DictReader(io.StringIO(answer.stdout[start:]), delimiter="\t"))

    def pretend(self, *arguments: str) -> None:
        """Make every output exist and count as made by the present code and settings."""
        for row in self.summary(*arguments):
            path = self.folder / row["output_file"]
            if row["output_file"].endswith("pictures"):
                path = path / "picture.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(row["output_file"])
        # All of them: where the files happen to be in the order of the jobs, nothing would be recorded of any.
        answer = self.snakemake("--touch", "--forceall", "--cores", "1", *arguments)
        assert answer.returncode == 0, answer.stdout + answer.stderr

    @contextmanager
    def edited(self, path: str, old: str, new: str) -> Iterator[None]:
        """Replace text in a file of the copy for the length of a block."""
        file = self.folder / path
        before = file.read_text(encoding="utf-8")
        assert old in before, f"{path} does not hold {old!r}"
        file.write_text(before.replace(old, new, 1), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(before, encoding="utf-8")
