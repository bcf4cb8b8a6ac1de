"""Which weight files a training loads: its model's start and its loss's networks. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tvface.assets import registry as assets
from tvface.assets.registry import Asset, Need
from tvface.assets.spynet_names import weight_files
from tvface.losses.table import terms_of
from tvface.settings import Settings
from tvface.settings.phases import PHASES

# Option of ``train.warm_start`` -> asset of the registry.
_STARTS = {
    "features": "features_{model}",
    "deca": "deca_model",
    "resnet50": "imagenet_resnet50",
    "basicvsr": "basicvsr",
}


def needs(settings: Settings, model: str, phase: str) -> Iterator[Need]:
    """Yield every file that the training of a model through a phase loads, by these settings."""
    if phase == PHASES[0]:
        for name, files in starts(settings, model).items():
            setting, avoid = f"train.warm_start.{name}", f"train.warm_start.{name}: null"
            if name == "spynet":
                setting, avoid = "train.temporal.flow: tuned", "train.temporal.flow: stored"
            yield from (Need(row, "train", path, setting, avoid) for row, path in files)
    loss_weights = getattr(settings.train, phase).loss_weights
    for term in terms_of(phase):
        weight = getattr(loss_weights, term.name)
        if term.network is not None and weight > 0:
            setting = f"train.{phase}.loss_weights.{term.name}"
            for row, path in assets.located(term.network):
                yield Need(row, "train", path, f"{setting}: {weight:g}", f"{setting}: 0")


def starts(settings: Settings, model: str) -> dict[str, list[tuple[Asset, Path]]]:
    """Return the files that the first phase of a model starts from, by their name in ``train.warm_start``.

    ``spynet`` is the start of a flow that is tuned along (``train.temporal.flow``). Every list begins with the file to
    load; each file comes with its row of the registry.
    """
    found = {}
    for name, asset in _STARTS.items():
        if name == "basicvsr" and model != "temporal":
            continue
        given = getattr(settings.train.warm_start, name)
        if given is not None:
            found[name] = assets.located(asset.format(model=model), given.replace("{model}", model))
    if "features" in found:
        found["features"] = [(_own_features(row, path), path) for row, path in found["features"]]
    if model == "temporal" and settings.train.temporal.flow == "tuned":
        found["spynet"] = assets.located("spynet", settings.dataset.flow.weights_file, weight_files)
    return found


def _own_features(row: Asset, path: Path) -> Asset:
    """Return the row of bundled features, or, for a file of another name, one of the user's own training."""
    if path.name == Path(row.file).name:
        return row
    made_by = "weights of an earlier training of yours: results/train/<model>/coarse/weights.safetensors"
    return Asset("features", str(path), "", "", None, "", "your own", False, row.used_by, made_by=made_by)
