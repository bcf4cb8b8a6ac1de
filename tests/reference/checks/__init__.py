"""Recompute every quantity of a folder of reference files with tvface; one module per subject.

:data:`CHECKS` says which function checks which file. A check reads the file's inputs, computes with tvface's own
parts, and writes a line per stored quantity on its :class:`~tests.reference.checks.sheet.Sheet`.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from typing import NamedTuple

from tests.reference.arrays import Reference
from tests.reference.checks.sheet import Folder, Line, Missing, Sheet

CHECKS: dict[str, str] = {
    "deca/camera.npz": "head.camera",
    "deca/data.npz": "crops.data",
    "deca/encoder.npz": "networks.encoder",
    "deca/flame.npz": "head.flame",
    "deca/flame_free.npz": "head.flame",
    "deca/generator.npz": "networks.detail_decoder",
    "deca/identity.npz": "networks.identity",
    "deca/losses.npz": "losses.losses",
    "deca/mrf.npz": "networks.mrf",
    "deca/render.npz": "rendering.pictures",
    "deca/render_free.npz": "rendering.pictures",
    "deca/shading.npz": "rendering.shading",
    "deca/shading_free.npz": "rendering.normals_of_the_formula_mesh",
    "deca/steps.npz": "steps.steps",
    "deca/texture.npz": "head.texture",
    "deca/uv.npz": "uv.uv_space",
    "deca/uv_free.npz": "uv.uv_space",
    "net/bisenet.npz": "parsing.bisenet",
    "net/bisenet_yakhyo.npz": "parsing.yakhyo",
    "net/deform_align.npz": "warp.alignment",
    "net/deform_conv2d.npz": "warp.deformable_convolution",
    "net/extract_face.npz": "people.face_crops",
    "net/face_mask.npz": "parsing.face_mask",
    "net/fan.npz": "landmarks.network",
    "net/fan_crop.npz": "landmarks.crops",
    "net/fan_decode.npz": "landmarks.decoding",
    "net/flow_warp.npz": "warp.warps",
    "net/inception_resnet_v1.npz": "people.inception",
    "net/mtcnn_detect.npz": "people.mtcnn_detections",
    "net/mtcnn_nets.npz": "people.mtcnn_nets",
    "net/mtcnn_stages.npz": "people.mtcnn_stages",
    "net/propagation_t1.npz": "warp.propagation",
    "net/propagation_t2.npz": "warp.propagation",
    "net/propagation_t5.npz": "warp.propagation",
    "net/residual_blocks.npz": "warp.residual_stacks",
    "net/spynet_fill.npz": "flow.spynet",
    "net/spynet_sintel_final.npz": "flow.spynet",
}
"""File in the folder -> module and function of its check; imported when the file's turn comes, for some are slow."""

KEYS = (
    "deca/keys/keys_encoder236.json",
    "deca/keys/keys_encoder128.json",
    "deca/keys/keys_generator.json",
    "deca/keys/keys_identity.json",
    "deca/keys/keys_vgg19_features.json",
    "deca/keys/keys_flame.json",
    "net/keys/basicvsr_plusplus_c64_blocks5.json",
    "net/keys/basicvsr_plusplus_c64_blocks7.json",
    "net/keys/basicvsr_plusplus_c64_blocks7_not_low_res.json",
    "net/keys/bisenet_19.json",
    "net/keys/bisenet_yakhyo_resnet18.json",
    "net/keys/bisenet_yakhyo_resnet34.json",
    "net/keys/fan4.json",
    "net/keys/inception_resnet_v1.json",
    "net/keys/inception_resnet_v1_vggface2_file.json",
    "net/keys/mtcnn_onet.json",
    "net/keys/mtcnn_pnet.json",
    "net/keys/mtcnn_rnet.json",
    "net/keys/residual_blocks_with_input_conv_128_64_5.json",
    "net/keys/second_order_deformable_alignment.json",
    "net/keys/spynet_mmagic.json",
)
"""State-dict names and shapes; :mod:`tests.reference.checks.names` has the networks."""

KNOWN = (*CHECKS, *KEYS)
LICENSED = ("deca/flame.npz", "deca/render.npz", "deca/shading.npz", "deca/uv.npz", "deca/keys/keys_flame.json")
"""Made from files that may not be distributed, so a folder may lack them: skipped by name."""
AUXILIARY = (".noise",)  # what only widens a tolerance
BESIDE = (".md", ".py", ".pyc")  # endings of files that are no references


class Skipped(NamedTuple):
    """A file that cannot be checked here, and why."""

    name: str
    reason: str


def _failure(name: str, what: str) -> Line:
    return Line(name, float("nan"), float("nan"), what, False)


def check_file(folder: Folder, name: str, kind: type[Sheet] = Sheet) -> list[Line | Skipped]:
    """Check one known file on a sheet of this kind; an absent or broken one gives a failed line."""
    path = folder.root / name
    if not path.is_file() and name in (*LICENSED, "net/spynet_sintel_final.npz"):
        return [Skipped(name, "not in this folder: made from files under a licence that forbids to pass them on")]
    if not path.is_file():
        return [_failure(name, f"the file is missing: {path}")]
    if name in KEYS:
        from tests.reference.checks import names

        try:
            return [names.compare(name, path)]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return [_failure(name, f"unreadable: {error!r}")]
    try:
        reference = Reference(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        return [_failure(name, f"unreadable: {error!r}")]
    sheet = kind(name, folder, reference)
    module, _, function = CHECKS[name].partition(".")
    check = getattr(import_module(f"{__name__}.{module}"), function)
    try:
        check(sheet)
    except Missing as missing:
        return [*sheet.lines, Skipped(name, str(missing))]
    except (
        ArithmeticError,
        AssertionError,
        LookupError,
        NameError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        return [*sheet.lines, _failure(name, f"the check broke off: {error!r}")]
    reference = sheet.reference  # some checks open it anew, with what the file wants from its reader
    unread = [key for key in reference.outputs if key not in reference.read and not key.endswith(AUXILIARY)]
    return [*sheet.lines, *(_failure(f"{name}: {key}", "NOT CHECKED") for key in unread)]


def check_folder(folder: Folder, pattern: str = "*") -> Iterator[Line | Skipped]:
    """Check all known files of a folder whose name (``net/fan.npz``) fits the pattern, one after the other."""
    for name in KNOWN:
        if fnmatch(name, pattern):
            yield from check_file(folder, name)


def unknown(folder: Folder) -> list[str]:
    """Return the names of files in the folder that no check knows."""
    found = (path.relative_to(folder.root).as_posix() for path in sorted(folder.root.rglob("*")) if path.is_file())
    return [name for name in found if name not in KNOWN and not name.endswith(BESIDE)]
