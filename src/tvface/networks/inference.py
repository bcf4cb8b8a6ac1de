"""Preparation of networks for inference: folded, channels last, in the configured precision."""

from __future__ import annotations

import copy

import torch
from torch import fx, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval


def prepared(net: nn.Module, device: torch.device, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Return a network ready for inference: in evaluation mode, without gradients, with channels last.

    Args:
        net: changed in place.
        device: to move it to.
        dtype: of its parameters; its inputs must have it too.
    """
    ready: nn.Module = net.eval().requires_grad_(False).to(device, dtype)
    return ready.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def folded(net: nn.Module) -> nn.Module:
    """Return a copy of ``net``, in evaluation mode, without the batch normalisations that follow a convolution.

    Scale and shift move into the convolution's parameters; results differ by rounding. A rectifier that is the only
    reader of a convolution's result overwrites it. Other normalisations, such as those before a convolution, stay.

    Raises:
        torch.fx.proxy.TraceError: the network's ``forward`` branches on the values of its input.
    """
    traced = fx.symbolic_trace(copy.deepcopy(net).eval())
    modules = dict(traced.named_modules())
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or len(before.users) != 1:
            continue
        convolution = modules.get(str(before.target)) if before.op == "call_module" else None
        if not isinstance(convolution, nn.Conv2d):
            continue
        follower = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(follower, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(convolution, follower)
            modules[str(before.target)] = fused
            traced.set_submodule(str(before.target), fused)
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
        elif node.op == "call_function" and node.target is F.relu:
            node.kwargs = {"inplace": True}
    traced.delete_all_unused_submodules()
    traced.graph.lint()
    traced.recompile()
    return traced
