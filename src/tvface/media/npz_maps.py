"""The arrays of an uncompressed npz file, mapped into memory instead of read: a set may be larger than memory."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")  # of a zip member, up to the lengths of its name and extra field


def mapped(path: str | Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the named arrays of ``path``, read-only and mapped; bytes are read when they are used.

    Raises:
        KeyError: an array is missing.
        ValueError: the file is no npz, or an array is compressed or holds objects.
    """
    path = Path(path)
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path}: not an npz file ({error}); make it again") from error
    with archive:
        return {name: _map(path, archive.getinfo(f"{name}.npy")) for name in names}


def _map(path: Path, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{path}: {member.filename} is compressed; only stored arrays can be mapped (numpy.savez)")
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        file.seek(header[-2] + header[-1], 1)
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if dtype.hasobject:
            raise ValueError(f"{path}: {member.filename} holds objects, which only a pickle can store")
        offset = file.tell()
    if not np.prod(shape):
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")
