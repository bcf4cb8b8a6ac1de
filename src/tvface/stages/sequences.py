"""Stage ``sequences``: mine sequences of one moving, clear, single face and cut their crops."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tvface import embedders
from tvface.conventions.boxes import area
from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.embedders.base import unit
from tvface.manifests import read, write
from tvface.manifests.faces import FACES
from tvface.manifests.frames import FRAMES
from tvface.manifests.identities import IDENTITIES
from tvface.manifests.sequences import CANDIDATES, SEQUENCES
from tvface.media.images import Image, encode_jpeg, encode_png, read_image, warp_crop
from tvface.media.tarstore import TarWriter
from tvface.mining import quality
from tvface.mining.chains import Chain, capped, choose, contiguity
from tvface.mining.decisions import DROPPED
from tvface.mining.motion import movement
from tvface.mining.recaps import recaps
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings
from tvface.settings.data import Sequences

_BOX = ["x0", "y0", "x1", "y1"]
_PLACE = ["image_file", "image_offset", "image_length"]
_JPEG_QUALITY = 98
log = logger("sequences")


@stage_run("sequences")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Write sequences, candidates and crops of episode ``shard``.

    Args:
        inputs: ``frames`` and ``faces`` manifests of the episode, ``identities`` of its show.
        outputs: ``manifest`` (:data:`SEQUENCES`), ``candidates`` (:data:`CANDIDATES`: every face with its scores and
            the reason why it is in no sequence), ``crops`` (tar of pictures).
    """
    chosen = settings.sequences
    embedder = embedders.distances(settings.faces.embedder)
    track_distance = settings.faces.tracks.distance
    if track_distance is None:
        track_distance = embedder.track_distance
    pair_distance = chosen.pair_distance if chosen.pair_distance is not None else embedder.pair_distance
    faces = _faces(inputs)
    _score(faces, chosen, shard)
    blurred = _judge(faces, chosen, track_distance)
    found = _chains(faces, chosen, pair_distance)
    found = _without_repeats(faces, found, chosen)
    faces["sequence"] = None
    rows: list[dict[str, Any]] = []
    with TarWriter(outputs["crops"]) as crops:
        for number, members in enumerate(progress(found, f"crops of {shard}")):
            name = f"{shard}.{number:03d}"
            faces.loc[members, "sequence"] = name
            rows += _emit(faces.loc[members], name, chosen, crops)
    dropped = Counter(faces.loc[faces["reason"] != "used", "reason"])
    notes = {"sequences": len(found), "faces": len(faces), "blurred_below": blurred}
    recorded = provenance("sequences", settings, inputs, dropped=dropped, backend=settings.faces.embedder, notes=notes)
    table = pd.DataFrame(rows) if rows else SEQUENCES.empty()
    write(outputs["manifest"], SEQUENCES, table, recorded)
    write(outputs["candidates"], CANDIDATES, faces[CANDIDATES.arrow.names], recorded)
    log.info("%s: %d sequences of %d faces; not used: %s", shard, len(found), len(faces), dict(dropped.most_common()))


def _faces(inputs: Paths) -> pd.DataFrame:
    """Faces of the episode in order, with the person and where the picture is."""
    faces = read(inputs["faces"], FACES).rows
    frames = read(inputs["frames"], FRAMES).rows[["episode", "frame", *_PLACE]]
    identities = read(inputs["identities"], IDENTITIES).rows[["episode", "track", "person"]]
    joined = faces.merge(frames, on=["episode", "frame"], how="left", validate="many_to_one")
    joined = joined.merge(identities, on=["episode", "track"], how="left", validate="many_to_one")
    for column, stage in (("image_file", "frames"), ("person", "identities")):
        if joined[column].isna().any():
            raise ValueError(
                f"{inputs[stage]}: does not know all faces of {inputs['faces']}; it is older, run stage {stage} again"
            )
    return joined.sort_values(["frame", "face"], ignore_index=True)


def _score(faces: pd.DataFrame, settings: Sequences, shard: str) -> None:
    """Add every score of the candidates manifest, from the table and from the crop of each face alone."""
    boxes = faces[_BOX].to_numpy(np.float64)
    points = _points(faces)
    scores = quality.box_scores(boxes, faces["width"].to_numpy(), faces["height"].to_numpy())
    for name in scores:
        faces[name] = scores[name]
    faces["pose"] = quality.pose(points)
    measured: dict[str, list[float]] = {name: [] for name in ("clarity", "crop_luma", "upscale", "padding")}
    hashes: list[int] = []
    for _, group in progress(faces.groupby("frame", sort=True), f"scores of {shard}", faces["frame"].nunique()):
        image = read_image(*group[_PLACE].iloc[0])
        for box in group[_BOX].to_numpy(np.float64):
            centre, side = quality.crop_square(box, settings)
            crop = warp_crop(image, quality.crop_transform(centre, side, settings.image_size), settings.image_size)
            for name, value in _crop_scores(crop, image, centre, side).items():
                measured[name].append(value)
            hashes.append(quality.phash(crop))
    for name, values in measured.items():
        faces[name] = np.array(values, np.float64)
    faces["phash"] = np.array(hashes, np.int64)
    shift: list[float | None] = [None] * len(faces)
    deformation: list[float | None] = [None] * len(faces)
    for _, track in faces.groupby("track", sort=True):
        for before, after in zip(track.index[:-1], track.index[1:], strict=True):
            shift[after], deformation[after] = movement(points[before], points[after])
    faces["shift"], faces["deformation"] = shift, deformation


def _crop_scores(crop: Image, image: Image, centre: NDArray[np.float64], side: float) -> dict[str, float]:
    return {
        "clarity": quality.clarity(crop),
        "crop_luma": float(quality.luma(crop).mean()),
        "upscale": crop.shape[0] / side,
        "padding": quality.padding(centre, side, image.shape[1], image.shape[0]),
    }


def _judge(faces: pd.DataFrame, settings: Sequences, track_distance: float) -> float | None:
    """Set ``reason`` to the first rule each face alone breaks ("" if none); return the clarity threshold."""
    areas = area(faces[_BOX].to_numpy(np.float64))
    other = quality.crowded(faces["frame"].to_numpy(), faces["score"].to_numpy(), areas, settings)
    low, high = settings.aspect
    dark, bright = settings.luma
    rules = [
        ("dropped_by_hand", faces["person"] == DROPPED),
        ("score", faces["score"] < settings.min_score),
        ("small", faces["side"] < settings.min_side),
        ("outside", faces["inside"] < settings.min_inside),
        ("aspect", (faces["aspect"] < low) | (faces["aspect"] > high)),
        ("other_face", other),
        ("pose", faces["pose"] > settings.max_pose),
        ("upscale", faces["upscale"] > settings.max_upscale),
        ("padding", faces["padding"] > settings.max_padding),
        ("dark", faces["crop_luma"] < dark),
        ("bright", faces["crop_luma"] > bright),
    ]
    reason = np.full(len(faces), "", object)
    for name, broken in rules:
        reason[(reason == "") & np.asarray(broken)] = name
    sound = reason == ""
    # Relative to the episode: the absolute value depends on the size of the footage.
    threshold = None
    if sound.any() and settings.clarity_percentile > 0:
        threshold = float(np.percentile(faces.loc[sound, "clarity"], settings.clarity_percentile))
        reason[sound & (faces["clarity"] < threshold)] = "blurred"
    for _, track in faces[reason == ""].groupby("track", sort=True):
        embedded = np.stack(track["embedding"].to_list())
        far = np.linalg.norm(embedded - unit(embedded.mean(0)), axis=1) > track_distance
        reason[track.index[far]] = "identity"
    faces["reason"] = reason
    return threshold


def _chains(faces: pd.DataFrame, settings: Sequences, pair_distance: float) -> list[NDArray[np.int64]]:
    """Choose sequences among the sound faces; return their rows, in order of the first frame, and set reasons."""
    keys = ["person", "scene"] if settings.cross_shots else ["track"]
    found = []
    for _, group in faces[faces["reason"] == ""].groupby(keys, sort=True):
        chain = Chain(
            group["frame"].to_numpy(np.int64),
            group["shot"].to_numpy(np.int64),
            _points(group),
            group["side"].to_numpy(np.float64),
            np.stack(group["embedding"].to_list()).astype(np.float64),
        )
        taken, reasons = choose(chain, settings, pair_distance)
        faces.loc[group.index, "reason"] = reasons
        found += [group.index.to_numpy()[places] for places in taken]
    return sorted(found, key=lambda rows: int(rows[0]))


def _without_repeats(
    faces: pd.DataFrame, found: list[NDArray[np.int64]], settings: Sequences
) -> list[NDArray[np.int64]]:
    """Drop recaps, then what exceeds the caps; the faces of dropped sequences get the reason."""

    def first(column: str) -> list[Any]:
        return [faces.loc[rows[0], column] for rows in found]

    repeated = recaps([faces.loc[rows, "phash"].to_numpy() for rows in found], first("shot"), settings.recap_distance)
    for rows, drop in zip(found, repeated, strict=True):
        if drop:
            faces.loc[rows, "reason"] = "recap"
    found = [rows for rows, drop in zip(found, repeated, strict=True) if not drop]
    kept = []
    for rows, reason in zip(found, capped(first("track"), first("person"), settings), strict=True):
        if reason is None:
            kept.append(rows)
        else:
            faces.loc[rows, "reason"] = reason
    return kept


def _emit(faces: pd.DataFrame, name: str, settings: Sequences, crops: TarWriter) -> list[dict[str, Any]]:
    """Cut the crops of one sequence, with one side for all, and return its rows."""
    size = settings.image_size
    frame, shot = faces["frame"].to_numpy(np.int64), faces["shot"].to_numpy(np.int64)
    squares = [quality.crop_square(box, settings) for box in faces[_BOX].to_numpy(np.float64)]
    side = float(np.median([side for _, side in squares]))
    centres = smoothed(np.stack([centre for centre, _ in squares]), frame, shot)
    points = _points(faces)
    rows: list[dict[str, Any]] = []
    for position, (_, face) in enumerate(faces.iterrows()):
        image = read_image(*face[_PLACE])
        transform = quality.crop_transform(centres[position], side, size)
        crop = warp_crop(image, transform, size)
        data = encode_png(crop) if settings.image_format == "png" else encode_jpeg(crop, _JPEG_QUALITY)
        file, offset, length = crops.add(f"{name}/{position:02d}.{settings.image_format}", data)
        crossing = position > 0 and bool(shot[position] != shot[position - 1])
        moved = movement(points[position - 1], points[position]) if position else (None, None)
        box = _mapped(face[_BOX].to_numpy(np.float64).reshape(2, 2), transform)
        shared = ("show", "episode", "clip", "frame", "source_frame", "time_s", "shot", "scene", "track", "person")
        rows.append(
            {name_: face[name_] for name_ in (*shared, "score", "side", "inside", "aspect", "pose")}
            | _crop_scores(crop, image, centres[position], side)
            | {
                "sequence": name,
                "position": position,
                "image_file": file,
                "image_offset": offset,
                "image_length": length,
                "transform": transform.ravel(),
                "crop_side": side,
                "box": box.ravel(),
                "points5": _mapped(points[position], transform).ravel(),
                "shift": moved[0],
                "deformation": moved[1],
                "gap": int(frame[position] - frame[position - 1]) if position else None,
                "crossing": crossing,
                "contiguity": contiguity(frame, shot),
                "phash": quality.phash(crop),
            }
        )
    return rows


def smoothed(centres: NDArray[np.float64], frame: NDArray[np.int64], shot: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (N, 2) crop centres averaged 1:2:1 with those of the neighbouring sampled frames of the same shot."""
    result = centres.copy()
    for place in range(len(centres)):
        for other in (place - 1, place + 1):
            if 0 <= other < len(centres) and abs(frame[other] - frame[place]) == 1 and shot[other] == shot[place]:
                result[place] += (centres[other] - centres[place]) / 4
    return result


def _mapped(points: NDArray[np.float64], transform: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points @ transform[:, :2].T + transform[:, 2], np.float64)


def _points(faces: pd.DataFrame) -> NDArray[np.float64]:
    if len(faces) == 0:
        return np.zeros((0, 5, 2))
    return np.stack(faces["points5"].to_list()).astype(np.float64).reshape(-1, 5, 2)
