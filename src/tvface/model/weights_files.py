"""Weights files: safetensors whose metadata hold the specification of their model."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from tvface.files.atomic import atomic
from tvface.model.face_model import ModelSpec


class WeightsError(ValueError):
    """A weights file cannot be used; the message says why and what to do."""


def save_weights(
    path: str | Path, weights: dict[str, torch.Tensor], spec: ModelSpec, *, phase: str, steps: int
) -> None:
    """Write a weights file atomically.

    Args:
        path: of the file.
        weights: :meth:`FaceModel.weights`.
        spec: of the model.
        phase: the last phase of training.
        steps: its optimizer steps.
    """
    description = {"spec": spec.as_mapping(), "phase": phase, "steps": steps}
    with atomic(path) as temporary:
        save_file(weights, temporary, metadata={"tvface": json.dumps(description, sort_keys=True)})


def read_spec(path: str | Path) -> ModelSpec:
    """Return the specification of the model whose weights these are.

    Raises:
        WeightsError: the file is absent, damaged or not written by tvface.
    """
    return ModelSpec.from_mapping(_metadata(path)["spec"])


def load_weights(path: str | Path, spec: ModelSpec | None = None) -> dict[str, torch.Tensor]:
    """Return the tensors by name, on the CPU.

    Args:
        path: ``weights.safetensors``.
        spec: the model they must fit in kind, code lengths, encoder and UV size; None: any.

    Raises:
        WeightsError: the file is absent, damaged, not tvface's, or of another model.
    """
    stored = read_spec(path)
    if spec is not None:
        names = ("model", "n_shape", "n_texture", "n_expression", "uv_size", spec.model)
        different = [name for name in names if getattr(stored, name) != getattr(spec, name)]
        if different:
            raise WeightsError(
                f"{path} are the weights of another model: {', '.join(different)} differ from the settings. "
                "Train the phases before this one again"
            )
    with safe_open(path, framework="pt", device="cpu") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)


def _metadata(path: str | Path) -> dict:
    if not Path(path).is_file():
        raise WeightsError(f"{path}: no such weights file; run the stage train first")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a whole safetensors file ({error}); delete it and train again") from error
    if "tvface" not in metadata:
        raise WeightsError(f"{path}: a safetensors file without tvface's description; was it written by another tool?")
    return dict(json.loads(metadata["tvface"]))
