"""Frames per second of the data half beside the plain chain that a user would write, in one run.

    python benchmarks/peers.py VIDEO [--frames 24] [--device cuda]

Both chains detect the faces of every sampled frame, find 68 points and label a region of each face, with the same
networks and the same parameters. The plain chain is facenet-pytorch's ``detect`` frame by frame, face-alignment's own
``get_landmarks_from_image`` per frame (crop, 2D-FAN face by face, decoding) and BiSeNet face by face in the way of the
published scripts: Pillow, all three heads, argmax in numpy, a mask and its way back to the region's size. It runs in
one process with torch's threads. tvface runs its backends, on a CPU in as many processes of one thread as the plain
chain has threads, because that is how the DAG uses the cores: one episode each. So every process goes through the
whole clip, and what a clip costs is the time of all over their number. Frames are decoded before, once for both, and
count for both. The chains take turns, ``--turn`` frames each, so that a drift of the machine's speed touches both; all
networks are made and warmed up before.

FAN and BiSeNet take the published weights if they are installed, else pseudo-random ones, fixed by a seed: time does
not depend on values, and heat maps and logits are compared number by number. The bundled networks then show, on the
same faces, what points and masks lose in the given precision. The script's double loop over the pixels of a mask is
timed apart and left out of the ratio.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, the project root is not on the path

from benchmarks.peers_chains import Found, PlainChain, TvfaceChain, Workers
from benchmarks.peers_stages import RANDOM, Spec, apart
from tvface.media.video import VideoReader
from tvface.runtime.device import arithmetic, name_of

STAGES = ("decode", "detection", "landmarks", "masks")


def main(arguments: list[str] | None = None) -> None:
    """Print the drift, then the table of times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--fps", type=float, default=3.0, help="sampling rate")
    parser.add_argument("--frames", type=int, default=24, help="most sampled frames")
    parser.add_argument("--turn", type=int, default=8, help="frames per turn")
    parser.add_argument("--batch", type=int, default=4, help="frames that a process of tvface takes at once")
    parser.add_argument("--min-face", type=int, default=24, help="faces.min_face of both chains, in pixels")
    parser.add_argument("--precision", choices=("float32", "bfloat16", "auto"), default="auto", help="of tvface")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="cores to use, by either chain")
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="cpu: processor time instead, which a busy machine hardly changes; needs --threads 1",
    )
    options = parser.parse_args(arguments)
    if options.clock == "cpu" and (options.threads != 1 or options.device != "cpu"):
        parser.error("--clock cpu counts one thread on a CPU: give --threads 1 --device cpu")
    device = torch.device(options.device)
    precision = name_of(arithmetic(options.precision, device))
    spec = Spec(
        options.device, options.min_face, precision, 1 if device.type == "cpu" else options.threads, options.clock
    )
    processes = options.threads if device.type == "cpu" else 1
    torch.set_num_threads(options.threads)

    start = spec.now()
    sampled = itertools.islice(VideoReader(options.video).sample(options.fps), options.frames)
    frames = [frame.image for frame in sampled]
    seconds: dict[str, dict[str, float]] = {"plain": defaultdict(float), "tvface": defaultdict(float)}
    whole = dict.fromkeys(seconds, spec.now() - start)
    for chain in seconds.values():
        chain["decode"] = whole["plain"]
    height, width = frames[0].shape[:2]
    print(
        f"{options.video.name}: {len(frames)} frames of {width} x {height}, torch {torch.__version__}, "
        f"{options.clock} time"
    )
    print(
        f"{device_name(device)}; plain: one process, threads: {options.threads}, float32; "
        f"tvface: processes: {processes}, threads each: {spec.threads}, {precision}"
    )
    plain = PlainChain(spec)
    print(f"weights of FAN: {plain.sources['fan']}; of BiSeNet: {plain.sources['bisenet']}")
    plain(frames[:1], defaultdict(float))
    outputs: dict[str, list[Found]] = {"plain": [], "tvface": []}
    with Workers(spec, processes, frames[: options.batch]) as workers:
        for first in range(0, len(frames), options.turn):
            turn = frames[first : first + options.turn]
            start = spec.now()
            outputs["plain"] += plain(turn, seconds["plain"])
            whole["plain"] += spec.now() - start
            start = spec.now()
            outputs["tvface"] += workers(turn, options.batch, seconds["tvface"])
            whole["tvface"] += (spec.now() - start) / processes
    report_outputs(spec, plain, frames, outputs)
    whole["plain"] -= seconds["plain"]["loop"]
    report_times(len(frames), sum(len(one.boxes) for one in outputs["plain"]), seconds, whole)


def device_name(device: torch.device) -> str:
    """Return what computes, for the report."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"


def report_times(frames: int, faces: int, seconds: dict[str, dict[str, float]], whole: dict[str, float]) -> None:
    """Print milliseconds per frame, stage by stage and whole."""
    print(f"{faces} faces in {frames} frames; milliseconds per frame:")
    print(f"  {'':<12}{'plain':>10}{'tvface':>10}{'ratio':>8}")
    for stage in STAGES:
        plain, own = (1000 * seconds[chain][stage] / frames for chain in ("plain", "tvface"))
        print(f"  {stage:<12}{plain:10.1f}{own:10.1f}{plain / own:8.2f}")
    plain, own = (1000 * whole[chain] / frames for chain in ("plain", "tvface"))
    print(f"  {'chain':<12}{plain:10.1f}{own:10.1f}{plain / own:8.2f}")
    loop = 1000 * seconds["plain"]["loop"] / frames
    print(f"  with the script's loop over pixels, {loop:.1f} ms a frame: {(plain + loop) / own:.2f}")
    print(f"frames/s: plain {1000 / plain:.2f}, tvface {1000 / own:.2f}")


def report_outputs(
    spec: Spec, plain: PlainChain, frames: list[np.ndarray], outputs: dict[str, list[Found]], most: int = 6
) -> None:
    """Print how far the chains' outputs lie apart.

    Raises:
        SystemExit: they did not find the same faces.
    """
    corners = 0.0
    for index, (theirs, ours) in enumerate(zip(outputs["plain"], outputs["tvface"], strict=True)):
        if len(theirs.boxes) != len(ours.boxes):
            raise SystemExit(f"frame {index}: {len(theirs.boxes)} faces by the package, {len(ours.boxes)} by tvface")
        if len(theirs.boxes):
            corners = max(corners, float(np.abs(theirs.boxes - ours.boxes).max()))
    print(f"boxes: the same faces, corners within {corners:.4f} px")
    with_faces = [index for index, one in enumerate(outputs["plain"]) if len(one.boxes)]
    if not with_faces:
        raise SystemExit("no face in the sampled frames: nothing but detection was timed; take another video")
    selected = with_faces[:: max(1, len(with_faces) // most)][:most]
    pictures, boxes = [frames[i] for i in selected], [outputs["plain"][i].boxes for i in selected]
    own = TvfaceChain(spec)
    heat, logits = plain.maps(pictures, boxes), own.maps(pictures, boxes)
    for name, reference, tested in zip(("FAN's heat maps", "BiSeNet's logits"), heat, logits, strict=True):
        print(f"{name}: RMS difference {100 * apart(reference, tested):.3f} % of their standard deviation")
    if plain.sources["fan"] != RANDOM:
        points = [np.concatenate([outputs[chain][i].points for i in with_faces]) for chain in ("tvface", "plain")]
        print(f"FAN's points: moved by {100 * nme(*points):.3f} % of the eye distance")
    if plain.sources["bisenet"] != RANDOM:
        masks = [np.concatenate([outputs[chain][i].masks for i in with_faces]) for chain in ("tvface", "plain")]
        print(f"BiSeNet's masks: {100 * float((masks[0] != masks[1]).mean()):.3f} % of the pixels change")
    bundled = {
        kind: TvfaceChain(dataclasses.replace(spec, precision=kind), bundled=True).labels(pictures, boxes)
        for kind in ("float32", spec.precision)
    }
    (points, masks), (tested_points, tested_masks) = bundled["float32"], bundled[spec.precision]
    print(
        f"bundled networks, {spec.precision} beside float32: points moved by {100 * nme(tested_points, points):.3f} % "
        f"of the eye distance, {100 * float((masks != tested_masks).mean()):.3f} % of the mask's pixels change"
    )


def nme(points: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of (N, 68, 2) points in parts of the outer eye corners' distance."""
    eyes = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=-1)
    return float((np.linalg.norm(points - truth, axis=-1).mean(1) / eyes).mean())


if __name__ == "__main__":
    main()
