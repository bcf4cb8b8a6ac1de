"""Whether two runs made the same results, to prove that a change of the code changed nothing.

    python -m benchmarks.same_results BEFORE AFTER [--without settings] [--except 'render/*.mp4']

BEFORE and AFTER are two ``results`` folders of the same configuration, made in two checkouts. Every file must be in
both. Compared are

* Parquet manifests: columns, types and rows, exactly, and the whole provenance;
* tar stores: names, order and bytes of the members;
* npz files: names and bytes of the arrays; a ``meta`` array in JSON (the head's) as a manifest's provenance;
* the report: the page without its table of library versions;
* all other files: byte for byte.

Of a provenance two parts follow from the code and not from what it does, and may differ: ``code`` (the digest of the
sources), and the digest of a parent if that file differs in such a part only and each digest is that of the file that
lies there. ``versions`` (of the libraries) may differ as well; they are printed. Not compared: logs, Snakemake's
``benchmarks`` (they hold seconds), checkpoints of a training (its weights are compared), hidden files.

The exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import fnmatch
import io
import json
import re
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tvface.files.digests import digest
from tvface.manifests.base import METADATA_KEY

LEFT_OUT = ("logs", "benchmarks", "checkpoints")
VERSIONS = re.compile(r'<h2 id="provenance">.*?</table>', re.DOTALL)
SETTINGS = re.compile(r"<details><summary>settings</summary>.*?</details>", re.DOTALL)
SHOWN = 5  # differences of one file


@dataclass
class Comparison:
    """Two results folders. ``differences`` are lines per file; ``excused`` files differ in code digests only."""

    before: Path
    after: Path
    without: frozenset[str] = frozenset()
    differences: dict[str, list[str]] = field(default_factory=dict)
    identical: list[str] = field(default_factory=list)
    excused: list[str] = field(default_factory=list)
    excepted: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    parents: dict[str, tuple[Mapping[str, str], Mapping[str, str]]] = field(default_factory=dict)

    def pair(self, name: str) -> tuple[Path, Path]:
        """Return a file's two paths."""
        return self.before / name, self.after / name


def compare(before: Path, after: Path, without: Sequence[str] = (), patterns: Sequence[str] = ()) -> Comparison:
    """Compare two results folders.

    Args:
        without: more parts of the provenance that may differ, e.g. ``settings``.
        patterns: files (relative, ``*`` matches any characters) that are not compared, only named.

    Raises:
        FileNotFoundError: one of them is not a folder, or holds no file to compare.
    """
    result = Comparison(before, after, frozenset(without))
    here, there = _files(before), _files(after)
    for name in sorted(here | there):
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            result.excepted.append(name)
        elif name not in here or name not in there:
            result.differences[name] = [f"only in {before if name in here else after}"]
        elif digest(before / name) == digest(after / name):
            result.identical.append(name)
        elif lines := list(_different(result, name)):
            result.differences[name] = lines
        else:
            result.excused.append(name)
    for name, (old, new) in result.parents.items():
        if lines := list(_parents(result, old, new)):
            result.differences.setdefault(name, []).extend(lines)
    result.excused = [name for name in result.excused if name not in result.differences]
    return result


def _files(folder: Path) -> set[str]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder; give the `results` folders of two runs")
    relative = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = {path.as_posix() for path in relative if not _left_out(path.parts)}
    if not names:
        raise FileNotFoundError(f"{folder} holds no results; make them, e.g. with `make demo`")
    return names


def _left_out(parts: Sequence[str]) -> bool:
    return any(part.startswith(".") for part in parts) or any(part in LEFT_OUT for part in parts[:-1])


def _different(result: Comparison, name: str) -> Iterator[str]:
    """Yield what differs in a file whose bytes do."""
    old, new = result.pair(name)
    suffix = PurePosixPath(name).suffix
    if suffix == ".parquet":
        yield from _manifests(result, name, pq.read_table(old), pq.read_table(new))
    elif suffix == ".tar":
        yield from _members(_tar(old), _tar(new))
    elif suffix == ".npz":
        yield from _arrays(result, name, _zip(old), _zip(new))
    elif name == "report.html":
        pages = [_page(path.read_text(encoding="utf-8"), result.without) for path in (old, new)]
        if pages[0] != pages[1]:
            yield _first_line(*pages)
    else:
        yield _bytes(old.read_bytes(), new.read_bytes())


def _manifests(result: Comparison, name: str, old: pa.Table, new: pa.Table) -> Iterator[str]:
    stored = [dict(table.schema.metadata or {}) for table in (old, new)]
    provenance = [json.loads(metadata.pop(METADATA_KEY, b"{}")) for metadata in stored]
    yield from _provenance(result, name, *provenance)
    if stored[0] != stored[1]:
        yield "other metadata of the file"
    if not old.schema.equals(new.schema):
        yield f"columns {_types(old)} became {_types(new)}"
    elif len(old) != len(new):
        yield f"{len(old)} rows became {len(new)}"
    else:
        for column in old.column_names:
            one, two = (table[column].combine_chunks().to_pylist() for table in (old, new))
            rows = [row for row, (a, b) in enumerate(zip(one, two, strict=True)) if not _equal(a, b)]
            if rows:
                row = rows[0]
                yield f"column {column}: {len(rows)} of {len(one)} rows, first {row}: {one[row]!r} became {two[row]!r}"


def _types(table: pa.Table) -> str:
    return ", ".join(f"{column.name} {column.type}" for column in table.schema)


def _equal(one: Any, two: Any) -> bool:
    """Compare exactly; a number that is not one (NaN) equals itself."""
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_equal, one, two))
    return bool(one == two or (one != one and two != two))


def _provenance(result: Comparison, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(old.keys() | new.keys()):
        one, two = old.get(key), new.get(key)
        if one == two or key in result.without or key == "code":
            continue
        if key == "versions":
            result.versions |= {
                f"{library} {_value(one, library)} -> {_value(two, library)}"
                for library in {*(one or {}), *(two or {})}
                if _value(one, library) != _value(two, library)
            }
        elif key == "parents":
            result.parents[name] = (one or {}, two or {})
        else:
            yield f"provenance, {key}: {_short(one)} became {_short(two)}"


def _value(mapping: Mapping[str, Any] | None, key: str) -> Any:
    return (mapping or {}).get(key)


def _parents(result: Comparison, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Yield parents of other names, and digests that do not follow from a file that differs in code digests only."""
    for path in sorted(old.keys() ^ new.keys()):
        yield f"parent only {'before' if path in old else 'after'}: {path}"
    for path in sorted(path for path in old.keys() & new.keys() if old[path] != new[path]):
        name = _inside(path, {*result.excused, *result.differences})
        if name is None or name in result.differences:
            yield f"other contents of the parent {path}"
        elif [old[path], new[path]] != [digest(file) for file in result.pair(name)]:
            yield f"the parent {path} was made anew since; run again"


def _inside(path: str, names: set[str]) -> str | None:
    """Return the file of the results that a project-relative path means."""
    parts = PurePosixPath(path).parts
    tails = ("/".join(parts[start:]) for start in range(1, len(parts)))
    return next((tail for tail in tails if tail in names), None)


def _tar(path: Path) -> dict[str, bytes]:
    with tarfile.open(path, "r:") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def _zip(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _members(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[str]:
    if list(old) != list(new):
        lost, added = [name for name in old if name not in new], [name for name in new if name not in old]
        yield f"members lost {lost[:SHOWN]}, added {added[:SHOWN]}" if lost or added else "members in another order"
    changed = [name for name in old if name in new and old[name] != new[name]]
    for name in changed[:SHOWN]:
        yield f"{name}: {_bytes(old[name], new[name])}"
    if len(changed) > SHOWN:
        yield f"... {len(changed)} of {len(old)} members"
    if old == new and list(old) == list(new):
        yield "the same members, other headers"


def _arrays(result: Comparison, name: str, old: dict[str, bytes], new: dict[str, bytes]) -> Iterator[str]:
    notes = [_notes(arrays) for arrays in (old, new)]
    if notes[0] is not None and notes[1] is not None:
        provenance = [meta.pop("provenance", {}) for meta in notes]  # type: ignore[union-attr]
        yield from _provenance(result, name, *provenance)
        if notes[0] != notes[1]:
            yield f"meta: {_short(notes[0])} became {_short(notes[1])}"
        del old["meta.npy"], new["meta.npy"]
    if old != new or list(old) != list(new):
        yield from _members(old, new)


def _notes(arrays: Mapping[str, bytes]) -> dict[str, Any] | None:
    if "meta.npy" not in arrays:
        return None
    meta: dict[str, Any] = json.loads(np.load(io.BytesIO(arrays["meta.npy"]), allow_pickle=False).tobytes())
    return meta


def _page(text: str, without: frozenset[str]) -> str:
    text = VERSIONS.sub("", text)
    return SETTINGS.sub("", text) if "settings" in without else text


def _first_line(old: str, new: str) -> str:
    one, two = old.splitlines(), new.splitlines()
    for number, (a, b) in enumerate(zip(one, two, strict=False), 1):
        if a != b:
            return f"line {number}: {_short(a)} became {_short(b)}"
    return f"{len(one)} lines became {len(two)}"


def _bytes(old: bytes, new: bytes) -> str:
    if len(old) != len(new):
        return f"{len(old)} bytes became {len(new)}"
    changed = np.flatnonzero(np.frombuffer(old, np.uint8) != np.frombuffer(new, np.uint8))
    return f"{len(changed)} of {len(old)} bytes, first at {changed[0]}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


def report(result: Comparison) -> str:
    """Return what was compared and what differs, in lines."""
    lines = ["kind\tfiles\tidentical\tsame but for the code's digest\tdifferent\tnot compared"]
    groups = (result.identical, result.excused, list(result.differences), result.excepted)
    counts = [Counter(PurePosixPath(name).suffix or "other" for name in group) for group in groups]
    for kind in sorted(set().union(*counts)):
        numbers = [count[kind] for count in counts]
        lines.append("\t".join([kind, str(sum(numbers)), *map(str, numbers)]))
    lines += [f"other versions: {line}" for line in sorted(result.versions)]
    lines += [f"not compared: {name}" for name in result.excepted]
    for name, differences in result.differences.items():
        lines += [f"{name}: {line}" for line in differences[:SHOWN]]
        lines += [f"{name}: ... {len(differences)} differences"] * (len(differences) > SHOWN)
    same = not result.differences
    lines.append("the same results" if same else f"different: {len(result.differences)} files")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="results folder of the first run")
    parser.add_argument("after", type=Path, help="results folder of the second run")
    parser.add_argument(
        "--without",
        nargs="+",
        default=[],
        choices=("settings", "schema_version"),
        help="parts of the provenance that the change renames on purpose",
    )
    parser.add_argument("--except", dest="patterns", nargs="+", default=[], help="files not to compare, by pattern")
    options = parser.parse_args(arguments)
    result = compare(options.before, options.after, options.without, options.patterns)
    print(report(result))
    return int(bool(result.differences))


if __name__ == "__main__":
    sys.exit(main())
