"""Run the Triton deformable convolution in Triton's interpreter, in its own process: the choice is made at import.

Usage: python -m tests.networks.interpreted IN OUT, both files of tensors (see test_deformable.py).
"""

import os
import sys

os.environ["TRITON_INTERPRET"] = "1"

import torch

from tvface.networks import deformable, deformable_triton


def main(source: str, target: str) -> None:
    """Write output and gradients of every case, and what the comparison before the first use says."""
    results, limit = [], deformable_triton.ADDRESSES
    for case in torch.load(source, weights_only=True):
        deformable_triton.ADDRESSES = 0 if case.get("large") else limit
        arguments = [tensor.requires_grad_() for tensor in case["arguments"]]
        function = deformable_triton.deform_conv2d
        if case.get("compiled"):  # the shapes that torch.compile is told are those that come out
            function = torch.compile(function, backend="aot_eager", fullgraph=True)
        out = function(*arguments)
        gradients = torch.autograd.grad((out.float() * case["cotangent"]).sum(), arguments)
        results.append([out.detach(), *gradients])
    deformable._COMPARED = deformable._COMPARED[:1]  # the other sizes are among the cases
    torch.save({"results": results, "fault": deformable.fault(torch.device("cpu"))}, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
