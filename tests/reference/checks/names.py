"""State-dict names and shapes of tvface's networks against those of the originals (``keys/*.json``)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from facenet_pytorch import InceptionResnetV1
from facenet_pytorch.models import mtcnn

from tests.reference.arrays import shapes
from tests.reference.checks.sheet import Line
from tvface.head.model import HeadModel
from tvface.networks import fan
from tvface.networks.alignment import SecondOrderDeformableAlignment
from tvface.networks.bisenet import BiSeNet, from_yakhyo
from tvface.networks.detail_decoder import DetailDecoder
from tvface.networks.propagation import SecondOrderPropagation
from tvface.networks.residual import ResidualStack
from tvface.networks.resnet import ResNetEncoder
from tvface.networks.spynet import SPyNet
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2

Shapes = dict[str, tuple[int, ...]]


class _BasicVsr(torch.nn.Module):
    """What tvface has of BasicVSR++ under its names: flow, input stack, propagation, reconstruction."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        parts = SecondOrderPropagation(64, blocks)
        self.deform_align, self.backbone = parts.deform_align, parts.backbone
        self.spynet = SPyNet()
        self.feat_extract = ResidualStack(3, 64, 5)
        self.reconstruction = ResidualStack(5 * 64, 64, 5)


def _under(module: torch.nn.Module, *prefixes: str) -> Shapes:
    return {name: shape for name, shape in shapes(module).items() if name.startswith(prefixes)}


def _basicvsr(blocks: int) -> Callable[[Shapes], tuple[Shapes, Shapes]]:
    def both(original: Shapes) -> tuple[Shapes, Shapes]:
        # Upsampling is not tvface's; with full-resolution input the residual stack sits at another place.
        theirs = {
            name.replace("feat_extract.4.", "feat_extract."): shape
            for name, shape in original.items()
            if name.split(".")[0] not in ("upsample1", "upsample2", "conv_hr", "conv_last", "img_upsample")
        }
        ours = shapes(_BasicVsr(blocks))
        if "feat_extract.0.weight" in original:
            # The two strided convolutions before it belong to super-resolution; the stack then takes 64 channels.
            for name in ("feat_extract.0", "feat_extract.2"):
                theirs.pop(f"{name}.weight"), theirs.pop(f"{name}.bias")
            stack = shapes(ResidualStack(64, 64, 5))
            ours |= {f"feat_extract.{name}": shape for name, shape in stack.items()}
        return ours, theirs

    return both


def _yakhyo(blocks: tuple[int, ...]) -> Callable[[Shapes], tuple[Shapes, Shapes]]:
    def both(original: Shapes) -> tuple[Shapes, Shapes]:
        renamed = from_yakhyo({name: torch.empty(shape, device="meta") for name, shape in original.items()})
        theirs = {name: tuple(t.shape) for name, t in renamed.items() if not name.startswith("cp.resnet.fc.")}
        return shapes(BiSeNet(blocks=blocks)), theirs

    return both


def _same(build: Callable[[], torch.nn.Module]) -> Callable[[Shapes], tuple[Shapes, Shapes]]:
    return lambda original: (shapes(build()), original)


def _vgg19(original: Shapes) -> tuple[Shapes, Shapes]:
    # Layers above the second tap are left out.
    return shapes(Vgg19().features), {name: s for name, s in original.items() if int(name.split(".")[0]) < 21}


def _identity(original: Shapes) -> tuple[Shapes, Shapes]:
    # The features are taken before the classifier.
    return shapes(VggFace2()), {name: shape for name, shape in original.items() if not name.startswith("fc.")}


def _flame(original: Shapes) -> tuple[Shapes, Shapes]:
    """FLAME's buffers against those of a head of its size."""
    names = {
        "faces_tensor": "faces", "v_template": "v_template", "shapedirs": "basis", "posedirs": "pose_basis",
        "J_regressor": "joint_regressor", "lbs_weights": "skinning", "lmk_faces_idx": "static_faces",
        "lmk_bary_coords": "static_bary", "dynamic_lmk_faces_idx": "contour_faces",
        "dynamic_lmk_bary_coords": "contour_bary", "full_lmk_faces_idx": "full_faces",
        "full_lmk_bary_coords": "full_bary",
    }  # fmt: skip
    vertices, faces = original["v_template"][0], original["faces_tensor"][0]
    sizes = {
        "v_template": (vertices, 3), "faces": (faces, 3), "shape_basis": (vertices, 3, 300),
        "expression_basis": (vertices, 3, 100), "pose_basis": (36, 3 * vertices), "joint_regressor": (5, vertices),
        "skinning": (vertices, 5), "static_faces": (51,), "static_bary": (51, 3), "contour_faces": (79, 17),
        "contour_bary": (79, 17, 3), "full_faces": (68,), "full_bary": (68, 3), "parents": (5,),
    }  # fmt: skip
    data = SimpleNamespace(**{name: np.zeros(size, np.float32) for name, size in sizes.items()})
    with torch.device("cpu"):
        model = HeadModel(cast(Any, data), 100, 50)
    buffers = {name: tuple(buffer.shape) for name, buffer in model.named_buffers()}
    ours = {theirs: buffers[name] for theirs, name in names.items()} | {"parents": (len(model.parents),)}
    # Neck and eyes are arguments of the call here; the chain to the neck is the code of the contour.
    theirs = {name: s for name, s in original.items() if name not in ("neck_pose", "eye_pose", "neck_kin_chain")}
    for name in ("full_lmk_faces_idx", "full_lmk_bary_coords"):  # with a batch axis of one
        theirs[name] = theirs[name][1:]
    return ours, theirs


NAMES: dict[str, Callable[[Shapes], tuple[Shapes, Shapes]]] = {
    "deca/keys/keys_encoder236.json": _same(lambda: ResNetEncoder(236)),
    "deca/keys/keys_encoder128.json": _same(lambda: ResNetEncoder(128)),
    "deca/keys/keys_generator.json": _same(DetailDecoder),
    "deca/keys/keys_identity.json": _identity,
    "deca/keys/keys_vgg19_features.json": _vgg19,
    "deca/keys/keys_flame.json": _flame,
    "net/keys/basicvsr_plusplus_c64_blocks5.json": _basicvsr(5),
    "net/keys/basicvsr_plusplus_c64_blocks7.json": _basicvsr(7),
    "net/keys/basicvsr_plusplus_c64_blocks7_not_low_res.json": _basicvsr(7),
    "net/keys/bisenet_19.json": _same(BiSeNet),
    "net/keys/bisenet_yakhyo_resnet18.json": _yakhyo((2, 2, 2, 2)),
    "net/keys/bisenet_yakhyo_resnet34.json": _yakhyo((3, 4, 6, 3)),
    "net/keys/fan4.json": _same(fan.build),
    "net/keys/inception_resnet_v1.json": _same(lambda: InceptionResnetV1(pretrained=None)),
    "net/keys/inception_resnet_v1_vggface2_file.json": _same(
        lambda: InceptionResnetV1(pretrained=None, classify=True, num_classes=8631)
    ),
    "net/keys/mtcnn_onet.json": _same(lambda: mtcnn.ONet(pretrained=False)),
    "net/keys/mtcnn_pnet.json": _same(lambda: mtcnn.PNet(pretrained=False)),
    "net/keys/mtcnn_rnet.json": _same(lambda: mtcnn.RNet(pretrained=False)),
    "net/keys/residual_blocks_with_input_conv_128_64_5.json": _same(lambda: ResidualStack(128, 64, 5)),
    "net/keys/second_order_deformable_alignment.json": _same(SecondOrderDeformableAlignment),
    "net/keys/spynet_mmagic.json": _same(SPyNet),
}


def compare(name: str, path: Path) -> Line:
    """Return the line of one key list: the number of names that one side lacks or has in another shape."""
    content = json.loads(path.read_text())
    entries = content["entries"] if "entries" in content else list(content.items())
    original = {entry[0]: tuple(entry[1]) for entry in entries}
    with torch.device("meta"):
        ours, theirs = NAMES[name](original)
    different = sorted(set(ours.items()) ^ set(theirs.items()))
    tolerance = "same names and shapes"
    if different:
        tolerance += f", not so: {', '.join(sorted({n for n, _ in different})[:5])}"
    return Line(
        f"{name}: {len(theirs)} entries", len(different), len(different), tolerance, not different and bool(ours)
    )
