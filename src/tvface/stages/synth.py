"""Stage ``synth``: one episode of the embedded show, with exact ground truth.

Writes the video, the truth per video frame (shot, scene, label map) and per face (points, visibility, pose, codes,
camera, light; the vertices follow from the codes and the human head). It reads nothing: the show is a function of its
settings and the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.head.data import HeadData
from tvface.head.human import build
from tvface.manifests import write
from tvface.manifests.synth import TRUTH_FACES, TRUTH_FRAMES
from tvface.media.tarstore import TarWriter
from tvface.media.video import write_video
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings
from tvface.settings.model import Head
from tvface.synthetic.show.casting import cast_people
from tvface.synthetic.show.film import FilmedFrame, film
from tvface.synthetic.show.script import SHOW, episode_name, write_script


@stage_run("synth")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Render the episode named ``shard``.

    Args:
        outputs: ``video``, ``frames``, ``faces`` (manifests of the truth), ``labels`` (tar of label maps).
    """
    index = next((i for i in range(settings.synth.episodes) if episode_name(i) == shard), None)
    if index is None:
        raise ValueError(f"synth: no episode '{shard}'; the show has {settings.synth.episodes} (synth.episodes)")
    cv2.setNumThreads(threads)
    shots = write_script(settings.synth, index, settings.seed)
    head = build(Head())
    people = cast_people({actor.person for shot in shots for actor in shot.actors}, head, settings.seed)
    total = sum(shot.frames for shot in shots)
    logger("synth").info("%s: %d shots, %d frames, %s", shard, len(shots), total, ", ".join(sorted(people)))
    frame_rows: list[dict[str, Any]] = []
    face_rows: list[dict[str, Any]] = []
    with TarWriter(outputs["labels"]) as store:

        def images() -> Iterator[np.ndarray]:
            filmed = film(settings.synth, shots, people)
            for frame in progress(filmed, f"synth {shard}", total):
                frame_rows.append(_frame_row(frame, shard, settings.synth.fps, store))
                face_rows.extend(_face_rows(frame, shard, head))
                yield frame.image

        write_video(Path(outputs["video"]), images(), settings.synth.fps, crf=18, preset="veryfast", threads=threads)
    record = provenance("synth", settings, inputs, backend="human head")
    write(outputs["frames"], TRUTH_FRAMES, pd.DataFrame(frame_rows), record)
    faces = pd.DataFrame(face_rows) if face_rows else TRUTH_FACES.empty()
    write(outputs["faces"], TRUTH_FACES, faces, record)


def _frame_row(frame: FilmedFrame, episode: str, fps: float, store: TarWriter) -> dict[str, Any]:
    # Level 1: flat label maps compress as well as at 6, three times faster.
    done, data = cv2.imencode(".png", frame.labels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise RuntimeError(f"{episode}: the label map of frame {frame.number} could not be encoded")
    file, offset, length = store.add(f"{episode}/{frame.number:06d}.png", data.tobytes())
    return {
        "show": SHOW,
        "episode": episode,
        "source_frame": frame.number,
        "time_s": frame.number / fps,
        "shot": frame.shot.index,
        "scene": frame.shot.scene,
        "people": len(frame.takes),
        "dark": frame.shot.dark,
        "damage": frame.damage,
        "labels_file": file,
        "labels_offset": offset,
        "labels_length": length,
    }


def _face_rows(frame: FilmedFrame, episode: str, head: HeadData) -> Iterator[dict[str, Any]]:
    height, width = frame.labels.shape
    shapes = head.shape_basis.shape[2]
    for take in frame.takes:
        points = take.points
        low, high = points.min(0), points.max(0)
        inside = (points >= 0).all(1) & (points[:, 0] <= width - 1) & (points[:, 1] <= height - 1)
        shape = np.zeros(shapes, np.float32)
        shape[: len(take.shape)] = take.shape
        yaw, pitch, roll = take.angles
        yield {
            "show": SHOW,
            "episode": episode,
            "source_frame": frame.number,
            "person": take.person,
            "box": np.concatenate([low, high]),
            "points68": points.ravel(),
            "visible": take.visible.astype(np.float32),
            "yaw": yaw,
            "pitch": pitch,
            "roll": roll,
            "inside": float(inside.mean()),
            "shape": shape,
            "expression": take.expression,
            "joints": take.joints,
            "translation": take.translation,
            "focal": frame.shot.focal,
            "light": frame.light.ravel(),
        }
