"""FaceNet: strict loading, errors. Its numbers and crops are checked by tests/reference."""

import numpy as np
import pytest
import torch
from facenet_pytorch import InceptionResnetV1

from tvface import embedders
from tvface.assets import registry as assets
from tvface.embedders import inception_resnet
from tvface.embedders.crops import box_crop
from tvface.networks.loading import CheckpointError
from tvface.settings.data import Faces


def test_weight_files_load_strictly(tmp_path) -> None:
    net = InceptionResnetV1(pretrained=None, classify=True, num_classes=8631)
    state = net.state_dict()
    torch.save(state, tmp_path / "whole.pt")
    loaded, report = inception_resnet.load(tmp_path / "whole.pt")
    assert not loaded.training
    assert len(report.loaded) == 714 and report.unused == ("logits.weight", "logits.bias") and report.missing == ()
    assert torch.equal(loaded.state_dict()["last_linear.weight"], state["last_linear.weight"])
    del state["last_bn.bias"]
    torch.save(state, tmp_path / "short.pt")
    with pytest.raises(CheckpointError, match=r"1 missing: last_bn\.bias"):
        inception_resnet.load(tmp_path / "short.pt")


def test_missing_weights_say_what_to_do(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(assets, "ROOT", tmp_path)
    monkeypatch.delenv(assets.FOLDER_VARIABLE, raising=False)
    with pytest.raises(assets.MissingAsset, match=r"20180402-114759-vggface2\.pt"):
        embedders.create("inception_resnet", Faces())
    # Distances are known without weights.
    assert embedders.distances("inception_resnet").pair_distance == 1.0


def test_a_box_outside_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        box_crop(np.zeros((50, 50, 3), np.uint8), np.array([60.0, 10, 80, 30]), 14)
