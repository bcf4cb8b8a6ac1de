"""Landmarks and masks on real footage: contact sheets to look at, figures, jitter.

    python benchmarks/clips.py VIDEO_OR_FOLDER --out FOLDER [--backend compact] [--parser compact] [--fps 3]

Every clip goes through the stages from ``frames`` to ``masks`` (in FOLDER/work). Then every face that MTCNN found,
used or not, is framed as ``sequences`` frames it. FOLDER gets, per clip: ``<clip>.frames.png`` (whole pictures with
boxes: what was missed shows), ``<clip>.faces.png`` (points from red, confidence 0, to green, 1; the face mask in blue)
and ``<clip>.faces.tsv`` (confidence, head pose, fate of each face); for all clips ``clips.tsv`` and ``jitter.tsv``
(:mod:`jitter`).
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from jitter import BOX, jitter
from views import framed

from tvface import landmarkers, parsers
from tvface.conventions.face_mask import face_mask
from tvface.dag import layout
from tvface.episodes import list_episodes
from tvface.evaluation.pose import head_angles
from tvface.landmarkers.base import Landmarker
from tvface.manifests import read
from tvface.manifests.faces import FACES
from tvface.manifests.frames import FRAMES
from tvface.manifests.landmarks import LANDMARKS
from tvface.manifests.masks import MASKS
from tvface.manifests.sequences import CANDIDATES, SEQUENCES
from tvface.media import drawing
from tvface.media.images import Image, read_image
from tvface.media.video import SUFFIXES
from tvface.parsers.base import Parser
from tvface.settings import Settings, parse_settings

STAGES = ("frames", "faces", "identities", "sequences", "landmarks", "masks")
MARGIN = 0.15  # of the crop's side, shown around it
ENLARGED = 2
TINT = np.array([60, 120, 255])
PLACE = ["image_file", "image_offset", "image_length"]


def run_stages(settings: Settings) -> pd.DataFrame:
    """Run the data half on one video; return its faces with boxes, picture addresses, scores and fate.

    ``fate`` is the reason of ``sequences``, or for a face in a sequence what ``landmarks`` and ``masks`` made of it.
    """
    (episode,) = list_episodes(settings)
    for stage in STAGES:
        shard = episode.show if stage == "identities" else episode.name
        inputs, outputs = layout.inputs(stage, settings, shard), layout.outputs(stage, settings, shard)
        importlib.import_module(f"tvface.stages.{stage}").run(settings, inputs, outputs, shard=shard)

    def rows(stage: str, name: str, schema: object) -> pd.DataFrame:
        return read(layout.outputs(stage, settings, episode.name)[name], schema).rows

    faces, frames = rows("faces", "manifest", FACES), rows("frames", "manifest", FRAMES)
    scored = rows("sequences", "candidates", CANDIDATES)[["frame", "face", "pose", "reason", "sequence"]]
    faces = faces.merge(frames[["frame", *PLACE]], on="frame").merge(scored, on=["frame", "face"])
    fate = faces["reason"].to_numpy(object)
    for stage, schema in (("landmarks", LANDMARKS), ("masks", MASKS)):
        gone = set(rows("sequences", "manifest", SEQUENCES)["sequence"]) - set(
            rows(stage, "manifest", schema)["sequence"]
        )
        fate[faces["sequence"].isin(gone).to_numpy()] = f"dropped by {stage}"
    return faces.assign(fate=fate)


def face(
    image: Image, row: pd.Series, settings: Settings, landmarker: Landmarker, parser: Parser
) -> tuple[dict, Image]:
    """Return the figures of one face, and its picture with points and mask."""
    box = row[BOX].to_numpy(np.float64)
    view = framed(image, box, settings, settings.landmarks.context)
    local, confidence = landmarker.locate(view.region[None], view.region_box[None])
    around = framed(image, box, settings, settings.masks.context)
    mask = face_mask(parser.parse(around.region[None])[0], settings.masks.classes)
    crop = slice(around.pad, around.pad + settings.sequences.image_size)
    yaw, pitch, roll = head_angles(local)[0]
    figures = {
        "confidence": round(float(confidence.mean()), 3),
        "unsure": round(float((confidence < 0.5).mean()), 3),
        "yaw": round(float(yaw), 1),
        "pitch": round(float(pitch), 1),
        "roll": round(float(roll), 1),
        "face_part": round(float(mask[crop, crop].mean()), 3),
    }
    edge = round(MARGIN * settings.sequences.image_size)
    shown = slice(around.pad - edge, around.pad + settings.sequences.image_size + edge)
    points = local[0] - (view.pad - edge)
    return figures, drawn(around.region[shown, shown], points, confidence[0], mask[shown, shown])


def drawn(image: Image, points: np.ndarray, confidence: np.ndarray, mask: np.ndarray) -> Image:
    """Return a crop enlarged, its face mask tinted and outlined, its points coloured by confidence."""
    size = (ENLARGED * image.shape[1], ENLARGED * image.shape[0])
    large = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    inside = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    large[inside > 0] = (0.85 * large[inside > 0] + 0.15 * TINT).astype(np.uint8)
    outline, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(large, outline, -1, TINT.tolist(), 1)
    for place, sure in zip(ENLARGED * points + (ENLARGED - 1) / 2, confidence, strict=True):
        green, red = min(1.0, 2 * float(sure)), min(1.0, 2 - 2 * float(sure))
        large = drawing.points(large, place, (round(255 * red), round(255 * green), 40), 3)
    return large


def spread(items: list, count: int) -> list:
    """Return at most ``count`` of the items, evenly spread from the first to the last."""
    if len(items) <= count:
        return list(items)
    return [items[k] for k in np.unique(np.linspace(0, len(items) - 1, count).round().astype(int))]


def clip(video: Path, options: argparse.Namespace) -> tuple[dict[str, object], list[dict[str, object]]]:
    """Judge one clip; write its sheets and table; return its row of figures and its rows of jitter."""
    settings = parse_settings(
        {
            "results": str(options.out / "work" / video.stem),
            "videos": str(video),
            "synth": {"enabled": False},
            "frames": {"fps": options.fps},
            "landmarks": {"backend": options.backend},
            "masks": {"backend": options.parser},
            "device": options.device,
        }
    )
    every = run_stages(settings)
    (episode,) = list_episodes(settings)
    frames = read(layout.outputs("frames", settings, episode.name)["manifest"], FRAMES).rows
    low, high = options.frames
    frames = frames[frames["source_frame"].between(low, high)]
    faces = every[every["source_frame"].between(low, high)].reset_index(drop=True)
    landmarker = landmarkers.create(options.backend, settings.landmarks, options.device)
    parser = parsers.create(options.parser, settings.masks, options.device)
    cells = dict.fromkeys(spread(list(faces.index), options.cells))
    figures: dict[int, dict] = {}
    whole, titles = [], []
    drawn_frames = set(spread(list(frames["frame"]), options.pictures))
    for frame in frames.to_dict("records"):  # one picture at a time is held
        members = faces[faces["frame"] == frame["frame"]]
        image = read_image(*(frame[name] for name in PLACE))
        for index, row in members.iterrows():
            figures[index], picture = face(image, row, settings, landmarker, parser)
            if index in cells:
                cells[index] = picture
        if frame["frame"] in drawn_frames:
            named = [f"{row.track}: {row.score:.2f}" for row in members.itertuples()]
            whole.append(drawing.boxes(image, members[BOX], captions=named))
            titles.append(f"frame {frame['source_frame']}, shot {frame['shot']}")
    faces = faces.join(pd.DataFrame.from_dict(figures, orient="index")) if figures else faces
    columns = 4 if frames["width"].max() > frames["height"].max() else 6
    save(options.out / f"{video.stem}.frames.png", drawing.contact_sheet(whole, titles, columns, (400, 225)))
    row: dict[str, object] = {"clip": video.stem, "pictures": len(frames), "faces": len(faces)}
    if faces.empty:
        return row, []
    captions = [
        f"frame {f.source_frame} track {f.track}, box {f.y1 - f.y0:.0f} px\n"
        f"confidence {f.confidence:.2f} yaw {f.yaw:.0f}\n{f.fate}"
        for f in faces.loc[list(cells)].itertuples()
    ]
    save(options.out / f"{video.stem}.faces.png", drawing.contact_sheet(list(cells.values()), captions, 6, (300, 300)))
    listed = ["source_frame", "shot", "track", *BOX, "score", "pose", *figures[0], "fate", "sequence"]
    faces[listed].to_csv(options.out / f"{video.stem}.faces.tsv", sep="\t", index=False, float_format="%.3f")
    row |= {
        "pictures_with_face": faces["frame"].nunique(),
        "tracks": faces["track"].nunique(),
        "confidence": round(faces["confidence"].mean(), 3),
        "lowest": faces["confidence"].min(),
        "confidence_under_.5": int((faces["confidence"] < 0.5).sum()),
        "yaw_over_45": int((faces["yaw"].abs() > 45).sum()),
        "in_sequences": int(faces["fate"].eq("used").sum()),
        "fates": ", ".join(f"{name} {count}" for name, count in faces["fate"].value_counts().items()),
    }
    jitter_rows = jitter(video, every, settings) if options.jitter else []
    row |= {"jitter_%": jitter_rows[0]["all"], "jitter_from": jitter_rows[0]["first_frame"]} if jitter_rows else {}
    return row, [{"clip": video.stem, **line} for line in jitter_rows]


def save(path: Path, rgb: Image) -> None:
    """Write an RGB picture."""
    if not cv2.imwrite(str(path), rgb[..., ::-1]):
        raise SystemExit(f"{path} cannot be written")


def span(text: str) -> tuple[int, int]:
    """Read FIRST:LAST."""
    first, _, last = text.partition(":")
    return int(first), int(last)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backend", default="compact", choices=landmarkers.available())
    parser.add_argument("--parser", default="compact", choices=parsers.available())
    parser.add_argument("--fps", type=float, default=3.0)
    parser.add_argument("--frames", type=span, default=(0, 2**31), help="FIRST:LAST source frames to judge")
    parser.add_argument("--no-jitter", dest="jitter", action="store_false")
    parser.add_argument("--cells", type=int, default=30, help="faces on a sheet")
    parser.add_argument("--pictures", type=int, default=20, help="whole pictures on a sheet")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    inside = sorted(p for p in options.videos.iterdir() if p.suffix in SUFFIXES) if options.videos.is_dir() else []
    videos = inside or [options.videos]
    rows, noise = [], []
    for video in videos:
        row, lines = clip(video, options)
        print("\t".join(f"{name} {value}" for name, value in row.items()), flush=True)
        for line in lines:
            print("   ", "\t".join(f"{name} {value}" for name, value in line.items() if name != "clip"), flush=True)
        rows.append(row)
        noise += lines
    pd.DataFrame(rows).to_csv(options.out / "clips.tsv", sep="\t", index=False)
    if noise:
        pd.DataFrame(noise).to_csv(options.out / "jitter.tsv", sep="\t", index=False)


if __name__ == "__main__":
    main()
