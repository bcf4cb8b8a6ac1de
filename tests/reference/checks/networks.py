"""DECA's networks: encoders, detail decoder, identity network, VGG19 with the ID-MRF loss.

Where a tolerance is wider than usual, it is about five times what tvface in float64 differs from the stored float32:
the original's own rounding, which another processor's convolutions round otherwise.
"""

from __future__ import annotations

import torch

from tests.reference.arrays import filled
from tests.reference.checks.losses import norm, scalar
from tests.reference.checks.sheet import Sheet
from tvface.losses.identity import identity_loss
from tvface.losses.mrf import mrf_loss, mrf_term
from tvface.networks.detail_decoder import DetailDecoder
from tvface.networks.resnet import ResNetEncoder
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2, preprocess


def encoder(sheet: Sheet) -> None:
    """``encoder.npz``: both encoders whole, and the trunk which the temporal encoder shares."""
    reference = sheet.reference
    seed = sheet.seed("network")
    for outputs in (236, 128):
        network = ResNetEncoder(outputs)
        filled(network, seed)
        network.requires_grad_(False)
        image = reference.tensor("image").requires_grad_()
        stages = network.encoder.stages(network.encoder.stem(image))
        code = network(image)
        code.square().sum().backward()
        sheet.tensor(f"code{outputs}", code)
        sheet.compare(f"code{outputs}_sumsq_grad_norm_wrt_image", norm(image.grad), relative=5e-5)  # float64: 8e-6
        trunk = network.encoder.stages(reference.tensor("trunk_in"))[-1].mean((2, 3))
        sheet.tensor(f"trunk_code{outputs}", network.layers(trunk))
        if outputs != 236:
            continue
        sheet.tensor("pooled2048", stages[-1].mean((2, 3)))
        sheet.tensor("trunk_pooled2048", trunk)
        for index, (value, step) in enumerate(zip(stages, (8, 4, 2, 1), strict=True), start=1):
            sheet.tensor(f"layer{index}", value, lambda x, step=step: x[:, ::64, ::step, ::step])


def detail_decoder(sheet: Sheet) -> None:
    """``generator.npz``."""
    reference = sheet.reference
    z = reference.tensor("z").requires_grad_()
    network = DetailDecoder(z.shape[1])
    filled(network, sheet.seed("network"))
    displacement = network(z)
    sheet.tensor("displacement", displacement, 4)
    (displacement * reference.tensor("cotangent")).sum().backward()
    sheet.compare("grad_z", z.grad, relative=2e-3)  # a sum over 131,072 pixels of both signs; float64: 4e-4
    with torch.no_grad():
        sheet.tensor("displacement_trainmode", network.train()(z), 4)


def identity(sheet: Sheet) -> None:
    """``identity.npz``."""
    reference = sheet.reference
    network = VggFace2()
    filled(network, sheet.seed("network"))
    with torch.no_grad():
        sheet.tensor("net_output2048_on_net_input", network(reference.tensor("net_input")))
        sheet.tensor("preprocessed", preprocess(reference.tensor("gen")), 8)
    for dtype in (torch.float32, torch.float64):
        network.to(dtype)
        generated = reference.tensor("gen", dtype).requires_grad_()
        with torch.no_grad():
            target = network.features_of(reference.tensor("tar", dtype))
        features = network.features_of(generated)
        value = identity_loss(features, target)
        value.backward()
        if dtype == torch.float64:
            # The bytes of the mean colour went through float32 in the original as well.
            sheet.compare("cosine_loss.f64", value, relative=1e-6)
            sheet.compare("cosine_loss.f64.grad_norm", norm(generated.grad), relative=1e-6)
            continue
        sheet.tensor("features_gen", features)
        sheet.tensor("features_tar", target)
        # 1 - cosine near 1e-4: float32 leaves about three digits (README of the files).
        sheet.compare("cosine_loss", value, relative=1e-3)
        sheet.compare("cosine_loss.grad_norm", norm(generated.grad))
        # Differences of nearly equal features; float64: 4e-3.
        sheet.compare("cosine_loss.grad.sub", generated.grad[..., ::8, ::8], relative=2e-2)


def mrf(sheet: Sheet) -> None:
    """``mrf.npz``: the term on given maps, and the whole loss on pictures with filled VGG19 features."""
    reference = sheet.reference
    for key, first in (("term", "gen"), ("term_near", "near"), ("term_self", "tar")):
        # Minus the logarithm of a number below 1, at most 1: its float32 resolution is 6e-8 near 1.
        scalar(sheet, key, mrf_term, first, "tar", absolute=3e-7, take=lambda g: g[:, ::8, ::2, ::2])
    for fill_name in ("plain_fill", "he_fill"):
        network = Vgg19()
        filled(network.features, sheet.seed("network"))
        if fill_name == "he_fill":
            with torch.no_grad():
                for layer in network.features:
                    if isinstance(layer, torch.nn.Conv2d):
                        layer.weight.mul_(torch.tensor(2.0).sqrt())
        images = reference.tensor("img_gen").requires_grad_()
        maps = network(images)
        with torch.no_grad():
            target = network(reference.tensor("img_tar"))
            deep = mrf_term(maps[1], target[1])
            sheet.compare(f"full_{fill_name}.content", deep)
        for name, value in zip(("relu3_2", "relu4_2"), maps, strict=True):
            sheet.tensor(f"{fill_name}.{name}", value, lambda x: x[:, ::32, ::8, ::8])
        loss = mrf_loss(maps, target)
        loss.backward()
        sheet.compare(f"full_{fill_name}", loss)
        sheet.compare(f"full_{fill_name}.style", loss - deep)
        # A place whose best partner changes with the last bit gives its gradient to another pixel. float64: 2e-4 of the
        # norm; 1.5 % of the pixels by more than 3e-3, one by 6e-2.
        sheet.compare(f"full_{fill_name}.grad_norm", norm(images.grad), relative=1e-3)
        pixels = images.grad[..., ::8, ::8]
        sheet.compare(f"full_{fill_name}.grad.sub", pixels, relative=3e-3, outliers=0.05, far=0.3)
        with torch.no_grad():
            network.double()
            double = [network(reference.tensor(name, torch.float64)) for name in ("img_gen", "img_tar")]
            sheet.compare(f"full_{fill_name}.f64", mrf_loss(*double), relative=1e-6)
