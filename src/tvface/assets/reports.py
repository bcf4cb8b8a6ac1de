"""Report on loading the tensors of a weight file. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoadReport:
    """Which tensors of a file were loaded into a network, and which were not.

    Attributes:
        source: where the tensors came from.
        loaded: names copied into the network.
        unused: names in the file that the network has no place for.
        missing: names of the network that the file lacks; they keep their values.
    """

    source: str
    loaded: tuple[str, ...]
    unused: tuple[str, ...]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line of counts, with the names of the first few unused and missing tensors."""
        parts = [f"{self.source}: {len(self.loaded)} tensors loaded"]
        for label, names in (("unused", self.unused), ("missing", self.missing)):
            if names:
                parts.append(f"{len(names)} {label} ({some(names)})")
        return ", ".join(parts)


def some(names: tuple[str, ...] | list[str], count: int = 6) -> str:
    """Return the first few names, and how many more there are."""
    return ", ".join(names[:count]) + (f", and {len(names) - count} more" if len(names) > count else "")
