"""The weight files that a training loads: the initial weights and the networks of its losses. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tvface.assets import registry as assets
from tvface.assets.registry import Asset, Need
from tvface.assets.spynet_names import weight_files
from tvface.losses.table import terms_of
from tvface.settings import Settings
from tvface.settings.model import start_of
from tvface.settings.phases import PHASES

# Option of ``train.warm_start`` -> asset of the registry.
_STARTS = {
    "features": "features_{model}",
    "deca": "deca_model",
    "resnet50": "imagenet_resnet50",
    "basicvsr": "basicvsr",
}
# Model -> the model whose features it starts from, where it is another one.
_FEATURES_OF = {"residual": "deca"}


def needs(settings: Settings, model: str, phase: str) -> Iterator[Need]:
    """Yield every file that the training of a model in a phase loads under these settings."""
    if phase == PHASES[0]:
        for name, files in starts(settings, model).items():
            setting, avoid = f"train.warm_start.{name}", f"train.warm_start.{name}: null"
            if name == "spynet":
                setting, avoid = f"train.{model}.flow: tuned", f"train.{model}.flow: stored"
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

    ``spynet`` initialises a flow that is trained along (``train.<model>.flow``). Every list begins with the file to
    load; each file comes with its row of the registry.
    """
    files_by_start = {}
    for name, asset in _STARTS.items():
        if name == "basicvsr" and model != "temporal":
            continue
        configured = start_of(getattr(settings.train.warm_start, name), model)
        if configured is not None:
            kind = _FEATURES_OF.get(model, model)
            files_by_start[name] = assets.located(asset.format(model=kind), configured.replace("{model}", kind))
    if "features" in files_by_start:
        files_by_start["features"] = [(_own_features(row, path), path) for row, path in files_by_start["features"]]
    if model != "deca" and getattr(settings.train, model).flow == "tuned":
        files_by_start["spynet"] = assets.located("spynet", settings.dataset.flow.weights_file, weight_files)
    return files_by_start


def _own_features(row: Asset, path: Path) -> Asset:
    """Return the row of bundled features or, for a file of another name, a row for the user's own training."""
    if path.name == Path(row.file).name:
        return row
    made_by = "weights of an earlier training of yours: results/train/<model>/coarse/weights.safetensors"
    return Asset("features", str(path), "", "", None, "", "your own", False, row.used_by, made_by=made_by)
