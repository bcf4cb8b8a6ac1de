"""Pictures of the data half: the input and the result of each stage.

Every function takes manifest rows and returns one RGB picture (H, W, 3) uint8, or None where there is nothing to show.
Rows are evenly spaced in their order, so that the same run gives the same picture.
"""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd

from tvface.media import drawing
from tvface.media.images import decode_labels, read_image
from tvface.media.tarstore import read_bytes

Image = np.ndarray


def evenly(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return at most ``count`` rows, spread over the whole table."""
    if len(rows) <= count:
        return rows
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, count).round().astype(int))]


def storyboard(frames: pd.DataFrame, count: int) -> Image | None:
    """Return the first sampled frame of each shot."""
    first = frames.sort_values(["episode", "frame"]).drop_duplicates(["episode", "shot"])
    shown = evenly(first, count)
    if shown.empty:
        return None
    captions = [f"{row.episode}\nshot {row.shot}, scene {row.scene}, {row.time_s:.1f} s" for row in shown.itertuples()]
    return drawing.contact_sheet([_stored(row) for row in shown.itertuples()], captions, columns=4, cell=(272, 153))


def detections(frames: pd.DataFrame, faces: pd.DataFrame, people: pd.DataFrame, count: int) -> Image | None:
    """Return frames with boxes and five points, coloured and named by person."""
    named = faces.merge(people[["episode", "track", "person"]], on=["episode", "track"], how="left")
    counts = named.groupby(["episode", "frame"]).size().rename("faces").reset_index()
    # A third of the pictures shows several faces, to compare people; if one kind has too few, the other fills up.
    several, single = counts[counts["faces"] > 1], counts[counts["faces"] == 1]
    crowded = min(len(several), max(-(-count // 3), count - len(single)))
    shown_frames = pd.concat([evenly(several, crowded), evenly(single, count - crowded)]).sort_values(
        ["episode", "frame"]
    )
    if shown_frames.empty:
        return None
    colours = {person: drawing.distinct_colour(i) for i, person in enumerate(sorted(named["person"].dropna().unique()))}
    pictures, captions = [], []
    stored = frames.set_index(["episode", "frame"])
    for row in shown_frames.itertuples():
        shown = named[(named["episode"] == row.episode) & (named["frame"] == row.frame)]
        frame = stored.loc[(row.episode, row.frame)]
        picture = read_image(frame["image_file"], int(frame["image_offset"]), int(frame["image_length"]))
        picture = drawing.boxes(
            picture,
            shown[["x0", "y0", "x1", "y1"]].to_numpy(),
            [colours[person] for person in shown["person"]],
            [f"{face.person} {face.score:.2f}" for face in shown.itertuples()],
            thickness=max(2, picture.shape[1] // 240),
        )
        for points in shown["points5"]:
            picture = drawing.points(picture, points, radius=max(2, picture.shape[1] / 300))
        pictures.append(picture)
        captions.append(f"{row.episode} frame {row.frame}")
    return drawing.contact_sheet(pictures, captions, columns=4, cell=(272, 153))


def cast(
    frames: pd.DataFrame, faces: pd.DataFrame, people: pd.DataFrame, count: int, per_person: int = 10
) -> Image | None:
    """Return one row of faces per person, most seen first."""
    named = faces.merge(people[["episode", "track", "person"]], on=["episode", "track"], how="left")
    order = named.groupby(["show", "person"]).size().sort_values(ascending=False, kind="stable").index[:count]
    several = named["show"].nunique() > 1
    pictures, captions = [], []
    for show, person in order:
        rows = named[(named["show"] == show) & (named["person"] == person)]
        shown = evenly(rows.sort_values(["episode", "frame"]), per_person)
        cells = [face_cut(frames, row) for row in shown.itertuples()]
        pictures += cells + [np.full((8, 8, 3), 255, np.uint8)] * (per_person - len(cells))
        of_show = f"{show}\n" if several else ""
        captions += [f"{of_show}{person} ({len(rows)})" if i == 0 else "" for i in range(per_person)]
    return drawing.contact_sheet(pictures, captions, columns=per_person, cell=(104, 104)) if pictures else None


def face_cut(frames: pd.DataFrame, row: object, margin: float = 0.25) -> Image:
    """Cut one face with some margin out of its frame."""
    frame = frames[(frames["episode"] == row.episode) & (frames["frame"] == row.frame)].iloc[0]  # type: ignore[attr-defined]
    picture = read_image(frame["image_file"], int(frame["image_offset"]), int(frame["image_length"]))
    x0, y0, x1, y1 = row.x0, row.y0, row.x1, row.y1  # type: ignore[attr-defined]
    half = max(x1 - x0, y1 - y0) * (0.5 + margin)
    centre = ((x0 + x1) / 2, (y0 + y1) / 2)
    return cv2.getRectSubPix(picture, (max(2, round(2 * half)),) * 2, centre)


def sequences(rows: pd.DataFrame, count: int) -> Image | None:
    """Return one row of crops per sequence."""
    names = evenly(rows[["sequence", "person"]].drop_duplicates("sequence"), count)
    if names.empty:
        return None
    length = int(rows.groupby("sequence").size().max())
    pictures, captions = [], []
    for name, person in names.itertuples(index=False):
        shown = rows[rows["sequence"] == name].sort_values("position")
        pictures += [_stored(row) for row in shown.itertuples()]
        captions += [f"{name}, {person}" if i == 0 else "" for i in range(length)]
    return drawing.contact_sheet(pictures, captions, columns=length, cell=(108, 108))


def rejected(frames: pd.DataFrame, faces: pd.DataFrame, candidates: pd.DataFrame, per_reason: int = 8) -> Image | None:
    """Return faces that are in no sequence, a row per reason."""
    dropped = candidates[candidates["reason"] != "used"].merge(
        faces[["episode", "frame", "face", "x0", "y0", "x1", "y1"]], on=["episode", "frame", "face"]
    )
    pictures, captions = [], []
    for reason, rows in dropped.groupby("reason"):
        shown = evenly(rows, per_reason)
        cells = [face_cut(frames, row) for row in shown.itertuples()]
        pictures += cells + [np.full((8, 8, 3), 255, np.uint8)] * (per_reason - len(cells))
        captions += [f"{reason} ({len(rows)})" if i == 0 else "" for i in range(per_reason)]
    return drawing.contact_sheet(pictures, captions, columns=per_reason, cell=(124, 124)) if pictures else None


def landmarks(crops: pd.DataFrame, points: pd.DataFrame, count: int) -> Image | None:
    """Return crops with their 68 points."""
    located = points[["sequence", "position", "points68", "score"]]
    rows = evenly(crops.merge(located, on=["sequence", "position"], suffixes=("_detector", "")), count)
    if rows.empty:
        return None
    pictures = [
        drawing.points(_double(_stored(row)), 2 * np.asarray(row.points68) + 0.5, radius=2.2)
        for row in rows.itertuples()
    ]
    captions = [f"{row.sequence} #{row.position}" for row in rows.itertuples()]
    return drawing.contact_sheet(pictures, captions, columns=4, cell=(272, 272))


def masks(crops: pd.DataFrame, parsed: pd.DataFrame, count: int) -> Image | None:
    """Return crops with their classes, and a legend."""
    rows = evenly(crops.merge(parsed.drop(columns="episode"), on=["sequence", "position"]), count)
    if rows.empty:
        return None
    pictures, captions = [], []
    for row in rows.itertuples():
        labels = decode_labels(read_bytes(row.labels_file, row.labels_offset, row.labels_length))
        pictures.append(drawing.class_overlay(_stored(row), labels, 0.55))
        captions.append(f"{row.sequence} #{row.position}, face {100 * row.face:.0f} %")
    sheet = drawing.contact_sheet(pictures, captions, columns=6, cell=(180, 180))
    key = drawing.legend(width=sheet.shape[1])
    return np.concatenate([sheet, key], axis=0)


def flow(dataset: pd.DataFrame, count: int) -> Image | None:
    """Return crops of sequences above the colour-coded flow to the next frame (hue: direction, strength: length)."""
    names = evenly(dataset[["sequence"]].drop_duplicates(), count)["sequence"]
    pictures, captions = [], []
    for name in names:
        rows = dataset[dataset["sequence"] == name].sort_values("position")
        first = rows.iloc[0]
        data = read_bytes(first["flow_file"], int(first["flow_offset"]), int(first["flow_length"]))
        size = int(first["flow_size"])
        backward = np.frombuffer(data, "<f2").reshape(2, -1, 2, size, size)[0].astype(np.float32)
        shown = int(np.abs(backward).mean((1, 2, 3)).argmax())
        row = rows.iloc[shown]
        pictures.append(read_image(row["image_file"], int(row["image_offset"]), int(row["image_length"])))
        pictures.append(flow_colours(backward[shown]))
        captions += [f"{name} #{shown}", f"mean {np.hypot(*backward[shown]).mean():.2f} px of {size}"]
    return drawing.contact_sheet(pictures, captions, columns=6, cell=(180, 180)) if pictures else None


def flow_colours(flow_xy: np.ndarray) -> Image:
    """Return the colour wheel picture of a flow (2, H, W); full strength at its 99th percentile."""
    length = np.hypot(flow_xy[0], flow_xy[1])
    top = max(float(np.percentile(length, 99)), 1e-3)
    hue = (np.degrees(np.arctan2(flow_xy[1], flow_xy[0])) % 360) / 2
    strength = np.clip(length / top, 0, 1)
    hsv = np.stack([hue, 255 * strength, np.full_like(hue, 255)], axis=-1).astype(np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _stored(row: object) -> Image:
    return read_image(row.image_file, int(row.image_offset), int(row.image_length))  # type: ignore[attr-defined]


def _double(picture: Image) -> Image:
    return cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
