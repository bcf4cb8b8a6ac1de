"""Warping, deformable convolution, alignment, residual stacks and propagation: the temporal encoder's parts."""

from __future__ import annotations

import re

import torch
from torchvision import ops

from tests.reference.arrays import filled
from tests.reference.checks.rounding import as_array
from tests.reference.checks.sheet import Sheet
from tvface.networks import deformable
from tvface.networks.alignment import SecondOrderDeformableAlignment
from tvface.networks.propagation import SecondOrderPropagation
from tvface.networks.residual import ResidualStack
from tvface.networks.warp import flow_warp


def channels_first(flow: torch.Tensor) -> torch.Tensor:
    """(B, H, W, 2) -> (B, 2, H, W)."""
    return flow.permute(0, 3, 1, 2)


def warps(sheet: Sheet) -> None:
    """``flow_warp.npz``."""
    reference = sheet.reference
    for name in [n.removeprefix("flow_") for n in reference.inputs if n.startswith("flow_")]:
        flow = channels_first(reference.tensor(f"flow_{name}"))
        image = reference.tensor("x_row" if name == "row" else "x")
        for padding in ("zeros", "border"):
            key = f"row_{padding}" if name == "row" else f"{padding}_{name}"
            sheet.tensor(key, flow_warp(image, flow, padding))
    x = reference.tensor("x")
    sheet.tensor("minus_one", flow_warp(x, -torch.ones(len(x), 2, *x.shape[-2:])))


def deformable_convolution(sheet: Sheet) -> None:
    """``deform_conv2d.npz``: torchvision's kernel, and where it applies (3x3, stride and padding 1) tvface's own."""
    reference = sheet.reference
    cases = {name: note for name, note in reference.notes.items() if isinstance(note, dict) and "kernel" in note}
    for case, note in cases.items():
        names = ["x", "offset", "weight", "bias"] + (["mask"] if note["mask"] else [])
        options = {name: note[name] for name in ("stride", "padding", "dilation")}

        def torchvision(values: dict[str, torch.Tensor], options: dict[str, int] = options) -> torch.Tensor:
            others = {name: value for name, value in values.items() if name != "x"}
            return ops.deform_conv2d(values["x"], **others, **options)

        def own(values: dict[str, torch.Tensor]) -> torch.Tensor:
            return deformable.deform_conv2d(*(values[name] for name in ("x", "offset", "weight", "bias", "mask")))

        kernels = {"torchvision": torchvision}
        if note["mask"] and note["kernel"] == 3 and options == {"stride": 1, "padding": 1, "dilation": 1}:
            kernels["tvface"] = own
        for kernel, function in kernels.items():
            values = {name: reference.tensor(f"{case}_{name}").requires_grad_() for name in names}
            out = function(values)
            (out * reference.tensor(f"{case}_grad_out")).sum().backward()
            # Everything here is float64, and stored so.
            exact = {"relative": 1e-11}
            sheet.compare(f"{case}_out", out, label=f"{case}_out ({kernel})", **exact)
            for name, value in values.items():
                sheet.compare(f"{case}_grad_{name}", value.grad, label=f"{case}_grad_{name} ({kernel})", **exact)


def _split(align: SecondOrderDeformableAlignment, inputs: list[torch.Tensor], *, second: bool = True) -> torch.Tensor:
    """The same alignment by the path that the propagation takes: what does not change with the history apart."""
    value, condition, flow_1, flow_2 = inputs
    c = align.channels
    share = align.static_share(condition[:, c : 2 * c], flow_1, flow_2)
    features = (value[:, :c], value[:, c:] if second else None)
    warped = (condition[:, :c], condition[:, 2 * c :] if second else None)
    return align.forward_recurrent(share, features, warped, flow_1, flow_2)


@torch.no_grad()
def alignment(sheet: Sheet) -> None:
    """``deform_align.npz``."""
    reference = sheet.reference
    inputs = [reference.tensor(name) for name in ("x", "extra_feat", "flow_1", "flow_2")]
    channels = inputs[0].shape[1] // 2
    network = SecondOrderDeformableAlignment(channels)
    filled(network, sheet.seed("weights", "net"))
    sheet.tensor("out", network(*inputs))
    sheet.tensor("out", _split(network, inputs), label="out (split)")
    sheet.tensor("conv_offset_out", network.conv_offset(torch.cat(inputs[1:], 1)))
    first = [tensor.clone() for tensor in inputs]
    first[0][:, channels:] = 0
    first[1][:, 2 * channels :] = 0
    first[3][:] = 0
    sheet.tensor("out_first_order", network(*first))
    sheet.tensor("out_first_order", _split(network, first, second=False), label="out_first_order (split)")
    for parameter in network.conv_offset[6].parameters():
        parameter.zero_()
    sheet.tensor("out_zero_offset_net", network(*inputs))


@torch.no_grad()
def residual_stacks(sheet: Sheet) -> None:
    """``residual_blocks.npz``."""
    for key in [key for key in sheet.reference.outputs if key.startswith("out_in") and key.count(".") == 0]:
        channels, blocks = (int("".join(filter(str.isdigit, part))) for part in key.removeprefix("out_").split("_"))
        network = filled(ResidualStack(channels, 64, blocks), sheet.seed(key.removeprefix("out_")))
        sheet.tensor(key, network(sheet.reference.tensor(f"x_{channels}")))


@torch.no_grad()
def propagation(sheet: Sheet) -> None:
    """``propagation_t*.npz``, in float32 and in float64 where the file has it."""
    reference = sheet.reference
    frames, channels = reference.tensor("spatial").shape[1:3]
    found = re.search(r"blocks(\d+)", reference.notes["net"])
    blocks = int(found[1]) if found else 5
    network = SecondOrderPropagation(channels, blocks)
    network.reconstruction = ResidualStack(5 * channels, channels, blocks)
    dtypes = [torch.float32]
    if "concat.f64" in reference:
        dtypes.append(torch.float64)
    for dtype in dtypes:
        filled(network.to(dtype), sheet.seed("weights", "net"))
        spatial = reference.tensor("spatial", dtype)
        if frames == 1:
            flows = [spatial.new_zeros(len(spatial), 0, 2, *spatial.shape[-2:])] * 2
        else:
            flows = [reference.tensor(f"flows_{direction}", dtype) for direction in ("backward", "forward")]
        branches = network(spatial, *flows)
        concat = torch.cat([spatial, *branches.values()], 2)
        reconstruction = network.reconstruction(concat.flatten(0, 1)).unflatten(0, (len(spatial), frames))
        for name, value in {**branches, "concat": concat, "reconstruction": reconstruction}.items():
            sheet.tensor(name, value)
        if dtype == torch.float64:
            continue
        for name, value in branches.items():
            # Averages over a map of the float32 run, so its noise is theirs.
            mean, deviation = value.mean((3, 4)), value.std((3, 4), unbiased=False)
            for what, ours in (("channel_mean", mean), ("channel_std", deviation)):
                sheet.compare(f"{name}.{what}", as_array(ours), absolute=sheet.noise(name))
