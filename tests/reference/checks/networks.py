"""DECA's networks: encoders, detail decoder, identity network, VGG19 with the ID-MRF loss."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch

from tests.reference.arrays import Reference, filled
from tests.reference.checks.losses import scalar
from tests.reference.checks.rounding import moved, norm, repeated
from tests.reference.checks.sheet import DOUBLE, Sheet
from tvface.losses.identity import identity_loss
from tvface.losses.mrf import mrf_loss, mrf_term
from tvface.networks.detail_decoder import DetailDecoder
from tvface.networks.resnet import ResNetEncoder
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2, preprocess

COSINE = 4 * 2.0**-24  # what 1 - cosine near 0 may be off: four units in the last place of a number just below 1


def encoder(sheet: Sheet) -> None:
    """``encoder.npz``: both encoders whole, and the trunk which the temporal encoder shares."""
    seed = sheet.seed("network")
    for outputs in (236, 128):
        network = ResNetEncoder(outputs)
        filled(network, seed)
        whole = outputs == 236  # the other has the same trunk, so one disturbed run tells enough
        found = repeated(partial(_encoded, network.requires_grad_(False), sheet.reference), None if whole else 1)
        for name in ("code", "trunk_code"):
            sheet.tensor(f"{name}{outputs}", found[name])
        sheet.norm(f"code{outputs}_sumsq_grad_norm_wrt_image", found["gradient"])
        if not whole:
            continue
        for name in ("pooled2048", "trunk_pooled2048"):
            sheet.tensor(name, found[name])
        for index, step in enumerate((8, 4, 2, 1), start=1):
            sheet.tensor(f"layer{index}", found[f"layer{index}"], lambda x, step=step: x[:, ::64, ::step, ::step])


def _encoded(network: ResNetEncoder, reference: Reference) -> dict[str, torch.Tensor]:
    """Run an encoder, and its trunk alone: what the file stores, and the gradient to the image."""
    image = reference.tensor("image").requires_grad_()
    stages: dict[str, torch.Tensor] = {}
    hooks = [
        network.encoder.get_submodule(name).register_forward_hook(
            lambda _, __, out, name=name: stages.update({name: out})
        )
        for name in ("layer1", "layer2", "layer3", "layer4")
    ]
    code = network(image)
    for hook in hooks:
        hook.remove()
    code.square().sum().backward()
    assert image.grad is not None
    pooled = stages["layer4"].mean((2, 3))
    with torch.no_grad():
        trunk = network.encoder.stages(reference.tensor("trunk_in"))[-1].mean((2, 3))
        trunk_code = network.layers(trunk)
    named = {"code": code, "pooled2048": pooled, "trunk_pooled2048": trunk, "trunk_code": trunk_code}
    return named | stages | {"gradient": image.grad}


def detail_decoder(sheet: Sheet) -> None:
    """``generator.npz``."""
    reference = sheet.reference
    network = DetailDecoder(reference.tensor("z").shape[1])
    filled(network, sheet.seed("network"))

    def compute() -> dict[str, Any]:
        z = reference.tensor("z").requires_grad_()
        displacement = network(z)
        (displacement * reference.tensor("cotangent")).sum().backward()
        with torch.no_grad():
            trained = copy.deepcopy(network).train()(z)
        return {"displacement": displacement, "trained": trained, "gradient": z.grad}

    found = repeated(compute)
    sheet.tensor("displacement", found["displacement"], 4)
    sheet.tensor("displacement_trainmode", found["trained"], 4)
    # A sum over 131,072 pixels of both signs, behind rectifiers of which one or two are near zero.
    sheet.compare("grad_z", found["gradient"])


def identity(sheet: Sheet) -> None:
    """``identity.npz``."""
    reference = sheet.reference
    network = VggFace2()
    filled(network, sheet.seed("network"))
    with torch.no_grad():
        sheet.tensor("net_output2048_on_net_input", network(reference.tensor("net_input")))
        sheet.tensor("preprocessed", preprocess(reference.tensor("gen")), 8)

    def compute(dtype: torch.dtype = torch.float32) -> dict[str, Any]:
        network.to(dtype)
        generated = reference.tensor("gen", dtype).requires_grad_()
        with torch.no_grad():
            target = network.features_of(reference.tensor("tar", dtype))
        features = network.features_of(generated)
        value = identity_loss(features, target)
        value.backward()
        return {"features_gen": features, "features_tar": target, "loss": value, "gradient": generated.grad}

    found = repeated(compute)
    sheet.tensor("features_gen", found["features_gen"])
    sheet.tensor("features_tar", found["features_tar"])
    sheet.compare("cosine_loss", found["loss"], absolute=COSINE)
    # Differences of nearly equal features.
    gradient = found["gradient"]
    sheet.norm("cosine_loss.grad_norm", gradient)
    sheet.compare("cosine_loss.grad.sub", gradient.value[..., ::8, ::8], noise=moved(gradient))
    exact = compute(torch.float64)
    # The bytes of the mean colour went through float32 in the original as well.
    sheet.compare("cosine_loss.f64", exact["loss"], relative=DOUBLE)
    sheet.compare("cosine_loss.f64.grad_norm", norm(exact["gradient"]), relative=DOUBLE)


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
        found = repeated(partial(_whole_mrf, network, reference), runs=1)  # millions of pairs: a second would be alike
        sheet.compare(f"full_{fill_name}", found["loss"].value)
        sheet.compare(f"full_{fill_name}.content", found["content"].value)
        sheet.compare(f"full_{fill_name}.style", found["style"].value)
        for name in ("relu3_2", "relu4_2"):
            sheet.tensor(f"{fill_name}.{name}", found[name], lambda x: x[:, ::32, ::8, ::8])
        # A place whose best partner changes with the last bit gives its gradient to another pixel.
        gradient = found["gradient"]
        sheet.norm(f"full_{fill_name}.grad_norm", gradient)
        sheet.compare(f"full_{fill_name}.grad.sub", gradient.value[..., ::8, ::8], noise=moved(gradient))
        with torch.no_grad():
            network.double()
            double = [network(reference.tensor(name, torch.float64)) for name in ("img_gen", "img_tar")]
            sheet.compare(f"full_{fill_name}.f64", mrf_loss(*double), relative=DOUBLE)


def _whole_mrf(network: Vgg19, reference: Reference) -> dict[str, Any]:
    images = reference.tensor("img_gen").requires_grad_()
    maps = network(images)
    with torch.no_grad():
        target = network(reference.tensor("img_tar"))
        deep = mrf_term(maps[1], target[1])
    loss = mrf_loss(maps, target)
    loss.backward()
    named = {"loss": loss, "content": deep, "style": loss - deep, "gradient": images.grad}
    return named | dict(zip(("relu3_2", "relu4_2"), maps, strict=True))
