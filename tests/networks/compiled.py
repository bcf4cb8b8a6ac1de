"""Compile the Triton kernels for a GPU that need not be there, and read what they need from the machine code."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from tvface.networks import deformable_triton, deformable_triton_kernels

KERNELS = {name: getattr(deformable_triton_kernels, f"{name}_kernel") for name in ("forward", "backward", "weight")}
NETWORK = {"value", "weight", "bias", "out", "gradient"}
"""Pointers to what may be bfloat16; all others are float32."""


def resources(
    name: str,
    architecture: int,
    value: str,
    *,
    channels: int = 128,
    outputs: int = 64,
    groups: int = 16,
    side: int = 112,
    large: bool = False,
) -> dict[str, int]:
    """Return a kernel's ``registers`` per thread, bytes of ``stack`` per thread and of ``shared`` memory per program.

    Args:
        name: a key of ``KERNELS``.
        architecture: compute capability, 80 for sm_80.
        value: type of the network's numbers, "fp32" or "bf16".
        channels: of the value, in ``groups``; ``outputs`` of the result; the paper's by default.
        side: height and width of the map, of two images.
        large: with addresses of 64 bits.
    """
    kernel = KERNELS[name]
    constants = deformable_triton.constants(channels // groups, outputs, large=large)
    sizes = {"pixels": 2 * side * side, "height": side, "width": side}
    sizes |= {"channels": channels, "outputs": outputs, "groups": groups}
    signature: dict[str, str] = {}
    attributes: dict[tuple[int], Any] = {}
    for index, argument in enumerate(kernel.arg_names):
        if argument in constants:
            signature[argument] = "constexpr"
            continue
        signature[argument] = "i32" if argument in sizes else f"*{value if argument in NETWORK else 'fp32'}"
        if sizes.get(argument, 16) % 16 == 0:  # as a launch finds out; tensors start at multiples of 16 bytes
            attributes[(index,)] = [["tt.divisibility", 16]]
    source = ASTSource(kernel, signature, constants, attributes)
    compiled = triton.compile(source, target=GPUTarget("cuda", architecture, 32), options=deformable_triton.OPTIONS)
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        command = [str(tool), "--dump-resource-usage", file.name]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    match = re.search(r"REG:(\d+) STACK:(\d+) SHARED:(\d+)", output)
    assert match, f"cuobjdump says no resources: {output}"
    registers, stack, static = (int(number) for number in match.groups())
    return {"registers": registers, "stack": stack, "shared": static + compiled.metadata.shared}
