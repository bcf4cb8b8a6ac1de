"""Notes at the top of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvface.settings import Settings

# The losses of the paper that settings can switch off, by phase.
_TERMS = (("coarse", "identity"), ("coarse", "photometric"), ("detail", "mrf"))
_HEADS = {"human": "tvface's own head of MakeHuman's shapes"}
_STAND_INS = ("compact", "appearance", "dis")


def remarks(settings: Settings, statistics: Mapping[str, Any]) -> list[str]:
    """Return the notes: switched-off losses, stand-ins for licensed parts, an empty dataset.

    Args:
        settings: of the run.
        statistics: of the dataset.
    """
    notes = []
    if not statistics.get("sequences"):
        notes.append(
            "No sequence was found. The tables below say what was dropped and why; loosen the settings of "
            "'sequences' that dropped most."
        )
    off = [
        f"{phase}.{name}" for phase, name in _TERMS if getattr(getattr(settings.train, phase).loss_weights, name) == 0
    ]
    if off:
        notes.append("Loss terms switched off by the settings (train.<phase>.loss_weights): " + ", ".join(off) + ".")
    if settings.head.model in _HEADS:
        notes.append(f"Head model: {_HEADS[settings.head.model]}, not FLAME (head.model: {settings.head.model}).")
    stand_ins = [f"{stage} by {backend}" for stage, backend in _backends(settings) if backend in _STAND_INS]
    if stand_ins:
        notes.append(
            "Embedded backends that need no weights stand in for the paper's networks: " + ", ".join(stand_ins)
        )
    return notes


def _backends(settings: Settings) -> tuple[tuple[str, str], ...]:
    return (
        ("landmarks", settings.landmarks.backend),
        ("masks", settings.masks.backend),
        ("embeddings", settings.faces.embedder),
        ("flow", settings.dataset.flow.backend),
    )


def unreadable(manifests: list[dict[str, Any]]) -> list[str]:
    """Return a note per episode that ``frames.unreadable: skip`` left out, with the reason."""
    lost = {manifest["name"]: manifest["provenance"]["notes"].get("unreadable") for manifest in manifests}
    return [f"Episode {name} is left out of everything: {reason}" for name, reason in lost.items() if reason]
