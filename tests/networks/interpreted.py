"""Run the Triton deformable convolution in Triton's interpreter, in a process of its own: the choice is made at import.

Usage: python -m tests.networks.interpreted IN OUT, both files of tensors (see test_deformable.py).
"""

import os
import sys

os.environ["TRITON_INTERPRET"] = "1"

import torch

from tvface.networks import deformable
from tvface.networks.deformable_triton import deform_conv2d


def main(source: str, target: str) -> None:
    """Write output and gradients of every case."""
    results = []
    for case in torch.load(source, weights_only=True):
        arguments = [tensor.requires_grad_() for tensor in case["arguments"]]
        out = deform_conv2d(*arguments)
        gradients = torch.autograd.grad((out.float() * case["cotangent"]).sum(), arguments)
        results.append([out.detach(), *gradients])
    torch.save({"results": results, "agrees": deformable.verified(torch.device("cpu"))}, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
