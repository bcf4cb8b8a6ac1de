"""The files that the jobs of a run load, by the settings; the error if one is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvface.assets import registry as assets
from tvface.assets.registry import AssetError, MissingAsset, registry
from tvface.dag.needs import needs, require
from tvface.settings import SettingsError, merge, parse_settings

# Without other files than the bundled ones.
BUNDLED = {"compact_landmarks", "compact_parser", "compact_eyes", "compact_shape", "light_prior", "human_head"}
NO_WEIGHTS = {"train": {"coarse": {"loss_weights": {"identity": 0}}, "detail": {"loss_weights": {"mrf": 0}}}}


def test_a_setting_may_name_a_stand_in() -> None:
    registry.cache_clear()

    def named(path: str) -> list[str]:
        flow = {"backend": "spynet", "weights_file": path}
        found = needs(parse_settings({**NO_WEIGHTS, "dataset": {"flow": flow}}), "dataset")
        assert all(need.path.parent == Path("w") for need in found)
        return [need.asset.name for need in found]

    assert named("w/network-sintel-final.pytorch") == ["spynet_sniklaus"]
    assert named("w/modelL1_F.t7") == [f"spynet_torch7_{level}" for level in range(1, 7)]
    assert named("w/modelL4_F.t7") == [f"spynet_torch7_{level}" for level in range(1, 7)]
    assert named("w/modelL1_C.t7") == ["spynet"] * 6, "another training, whose files no row names"
    assert named("w/mine.safetensors") == ["spynet"]


@pytest.mark.parametrize(
    ("change", "stage", "names"),
    [
        ({}, "train", set()),
        ({"faces": {"embedder": "inception_resnet"}}, "faces", {"inception_resnet"}),
        ({"faces": {"embedder": "compact"}, "identities": {"cast": "cast"}}, "faces", {"compact_identity"}),
        ({"landmarks": {"backend": "fan"}}, "landmarks", {"fan"}),
        ({"masks": {"backend": "bisenet"}}, "masks", {"bisenet"}),
        ({"dataset": {"flow": {"backend": "spynet"}}}, "dataset", {"spynet"}),
        ({"train": {"warm_start": {"deca": "a.tar", "basicvsr": "b.pth"}}}, "train", {"deca_model", "basicvsr"}),
        ({"train": {"models": ["deca"], "warm_start": {"basicvsr": "b.pth"}}}, "train", set()),
        ({"train": {"warm_start": {"resnet50": "resnet50.pth"}}}, "train", {"imagenet_resnet50"}),
        ({"train": {"coarse": {"loss_weights": {"identity": 0.2}}}}, "train", {"vggface2"}),
        ({"train": {"pretrain": {"loss_weights": {"identity": 0.2}}}}, "train", {"vggface2"}),
        ({"train": {"detail": {"loss_weights": {"mrf": 0.05}}}}, "train", {"vgg19"}),
        ({"train": {"temporal": {"flow": "tuned"}}}, "train", {"spynet"}),
        ({"train": {"temporal": {"flow": "tuned"}, "models": ["deca"]}}, "train", set()),
        (
            {"train": {"warm_start": {"features": "resources/weights/features_{model}.safetensors"}}},
            "train",
            {"features_deca", "features_temporal"},
        ),
        ({"train": {"warm_start": {"features": "mine.safetensors"}}}, "train", {"features"}),
        (
            {"head": {"model": "flame"}},
            "head",
            {"flame", "head_template", "landmark_embedding", "face_mask", "face_eye_mask", "fixed_displacement"},
        ),
    ],
)
def test_needs_follow_the_settings(change: dict[str, object], stage: str, names: set[str]) -> None:
    registry.cache_clear()
    found = [n for n in needs(parse_settings(merge(NO_WEIGHTS, change))) if n.asset.name not in BUNDLED - names]
    assert {need.asset.name for need in found} == names
    assert {need.stage for need in found} <= {stage}
    assert all(need.avoid for need in found)


def test_each_model_may_have_its_own_start() -> None:
    registry.cache_clear()
    start = {"train": {"warm_start": {"deca": {"deca": "a.tar", "residual": "b.tar"}}}}
    settings = parse_settings(merge(NO_WEIGHTS, start))
    paths = {
        model: [str(need.path) for need in needs(settings, "train", f"{model}/pretrain")]
        for model in ("deca", "temporal", "residual")
    }
    assert paths == {"deca": ["a.tar"], "temporal": [], "residual": ["b.tar"]}
    bundled = {"train": {"warm_start": {"features": "resources/weights/features_{model}.safetensors"}}}
    (need,) = needs(parse_settings(merge(NO_WEIGHTS, bundled)), "train", "residual/pretrain")
    assert need.asset.name == "features_deca", "a residual encoder is DECA's with more beside it"
    with pytest.raises(SettingsError, match=r"train\.warm_start\.deca"):
        parse_settings({"train": {"warm_start": {"deca": {"dce": "a.tar"}}}})


def test_every_job_needs_its_own_files_only() -> None:
    registry.cache_clear()
    settings = parse_settings(
        {
            "faces": {"embedder": "compact"},
            "dataset": {"flow": {"backend": "spynet"}},
            "train": {
                "warm_start": {"features": "resources/weights/features_{model}.safetensors"},
                "coarse": {"loss_weights": {"identity": 0.2}},
                "detail": {"loss_weights": {"mrf": 0.05}},
            },
        }
    )

    def of(stage: str, shard: str) -> list[str]:
        return [need.asset.name for need in needs(settings, stage, shard)]

    assert of("train", "deca/pretrain") == ["features_deca"]
    assert of("train", "temporal/pretrain") == ["features_temporal"]
    assert of("train", "deca/coarse") == ["vggface2"] and of("train", "temporal/detail") == ["vgg19"]
    assert of("dataset", "castle_s01e01") == ["spynet"] and of("dataset", "") == []
    assert of("faces", "castle_s01e01") == ["compact_identity"]
    assert of("sequences", "castle_s01e01") == [], "it reads the embedder's distances, not its weights"
    assert of("identities", "castle") == []
    with_cast = parse_settings({"faces": {"embedder": "compact"}, "identities": {"cast": "cast"}})
    assert [need.asset.name for need in needs(with_cast, "identities", "castle")] == ["compact_identity"]


def test_a_backend_that_is_not_registered_is_refused_before_the_first_job() -> None:
    with pytest.raises(SettingsError, match=r"landmarks\.backend: 'fam' is not registered; valid: compact, fan"):
        require(parse_settings({"landmarks": {"backend": "fam"}}), "landmarks", "castle_s01e01")


def test_require_lists_all_that_is_missing_but_only_for_a_stage_that_misses_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.cache_clear()
    monkeypatch.setattr(assets, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    settings = parse_settings({**NO_WEIGHTS, "landmarks": {"backend": "fan"}, "masks": {"backend": "bisenet"}})
    assert require(settings, "faces") == []
    with pytest.raises(MissingAsset) as caught:
        require(settings, "landmarks")
    message = str(caught.value)
    assert "fan (stage landmarks, because of landmarks.backend: fan)" in message
    assert "bisenet (stage masks" in message
    assert "without it: landmarks.backend: compact" in message
    assert "compact_landmarks" not in message


def test_require_refuses_a_login_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.cache_clear()
    monkeypatch.setattr(assets, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "resources" / "weights" / "2DFAN4-11f355bf06.pth.tar"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"<!doctype html>")
    with pytest.raises(AssetError, match="this is a web page"):
        require(parse_settings({**NO_WEIGHTS, "landmarks": {"backend": "fan"}}), "landmarks")
