"""Which card, driver and software."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess

import torch

from benchmarks.gpu_parts.job import Job

PACKAGES = ("torch", "torchvision", "triton", "numpy", "numba", "lightning-fabric", "pytorch-lightning")


def run(job: Job) -> None:
    """Tell them.

    Raises:
        RuntimeError: a GPU was asked for and torch finds none.
    """
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "absent"
    job.fact(python=platform.python_version(), processor=_processor(), threads=torch.get_num_threads(), **versions)
    if not job.cuda:
        job.fact(card="CPU")
        return
    job.fact(devices=torch.cuda.device_count())
    if not torch.cuda.is_available():
        raise RuntimeError(
            f"torch {torch.__version__} finds no CUDA device; `--device cpu --quick` runs every line on a CPU"
        )
    properties = torch.cuda.get_device_properties(torch.device(job.device))
    free, total = torch.cuda.mem_get_info(torch.device(job.device))
    job.fact(
        card=properties.name,
        memory_GiB=round(total / 2**30, 1),
        free_GiB=round(free / 2**30, 1),
        multiprocessors=properties.multi_processor_count,
        capability=f"{properties.major}.{properties.minor}",
        driver=_driver(),
        cuda=torch.version.cuda,
        cudnn=torch.backends.cudnn.version(),
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return f"{names[0]} x {len(names)}" if names else platform.processor() or platform.machine()


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown ({type(error).__name__} of nvidia-smi)"
    return answer.stdout.split("\n")[0].strip()
