"""An npz file written in pieces, so that memory does not grow with its length."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from tvface.files.atomic import atomic

# A fixed time: the zip format would otherwise store the present one, and the same arrays would give other bytes.
_TIME = (1980, 1, 1, 0, 0, 0)


class NpzWriter:
    """Write named arrays row by row; the file appears under its name only when the block ends without error.

    ``append`` adds rows to every array, ``put`` stores a whole value. Rows wait in files beside ``path``.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._whole: dict[str, np.ndarray] = {}
        self._rows: dict[str, tuple[np.dtype[Any], tuple[int, ...], int]] = {}
        self._files: dict[str, IO[bytes]] = {}

    def __enter__(self) -> NpzWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=self.path.parent, prefix=f".{self.path.name}.")
        return self

    def put(self, **values: Any) -> None:
        """Store whole values: numbers, texts or arrays (not of objects)."""
        for name, value in values.items():
            array = np.asarray(value)
            if array.dtype.hasobject:
                raise TypeError(f"{self.path}: {name} is {type(value).__name__}, which an npz can only hold pickled")
            self._whole[name] = array

    def append(self, rows: Mapping[str, np.ndarray]) -> None:
        """Add rows (K, ...) to every array; names, types and shapes are those of the first call.

        Raises:
            ValueError: they differ.
        """
        if not self._rows:
            self._rows = {name: (array.dtype, array.shape[1:], 0) for name, array in rows.items()}
            for name in rows:
                self._files[name] = open(Path(self._folder.name) / name, "wb")  # noqa: SIM115 (closed in __exit__)
        lengths = {len(array) for array in rows.values()}
        if set(rows) != set(self._rows) or len(lengths) != 1:
            raise ValueError(
                f"{self.path}: rows of {sorted(rows)} and lengths {lengths}, expected {sorted(self._rows)}"
            )
        for name, array in rows.items():
            dtype, shape, count = self._rows[name]
            if array.dtype != dtype or array.shape[1:] != shape:
                raise ValueError(f"{self.path}: {name} is {array.dtype} {array.shape[1:]}, it was {dtype} {shape}")
            self._files[name].write(np.ascontiguousarray(array).tobytes())
            self._rows[name] = (dtype, shape, count + len(array))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()
        with self._folder:
            if kind is None:
                with atomic(self.path) as temporary:
                    self._pack(temporary)

    def _pack(self, path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
            for name, array in self._whole.items():
                with self._member(archive, name) as member:
                    np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            for name, (dtype, shape, count) in self._rows.items():
                with self._member(archive, name) as member, open(self._files[name].name, "rb") as file:
                    described = np.lib.format.dtype_to_descr(dtype)
                    header = {"descr": described, "fortran_order": False, "shape": (count, *shape)}
                    np.lib.format.write_array_header_1_0(member, header)
                    shutil.copyfileobj(file, member)

    @staticmethod
    def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
        info = zipfile.ZipInfo(f"{name}.npy", _TIME)
        info.compress_type = zipfile.ZIP_DEFLATED
        return archive.open(info, "w", force_zip64=True)
