"""Contact sheets of the people of a show, one file each, for a human to accept, merge, split or drop.

The caption of every face is its track, ``episode:track``, as the lines of ``identities.decisions`` name it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import pandas as pd

from tvface.dag.layout import face_manifests, outputs, require_made
from tvface.files.atomic import atomic
from tvface.manifests import read
from tvface.manifests.faces import FACES
from tvface.manifests.frames import FRAMES
from tvface.manifests.identities import IDENTITIES
from tvface.media import drawing
from tvface.media.images import Image
from tvface.reporting.data_pictures import evenly, face_cut
from tvface.settings import Settings

COLUMNS = 6
INDEX = "people.tsv"
_FACE = ["episode", "frame", "face", "track", "x0", "y0", "x1", "y1", "score"]


def write_people(settings: Settings, show: str, out: Path, per_person: int = 24, min_faces: int = 1) -> Iterator[Path]:
    """Write ``<person>.jpg`` for every person of a show, most seen first, and ``people.tsv`` with their counts.

    The tracks on a sheet are evenly spaced over the show, each with its most certain face. Tracks of a person with few
    tracks show more faces.

    Args:
        settings: of the run whose stage ``identities`` is done.
        show: as in ``tvface episodes``.
        out: folder, created if missing.
        per_person: most faces on a sheet.
        min_faces: people with fewer faces get no sheet.

    Yields:
        Each file once it is written.

    Raises:
        SettingsError: the stage has not run.
    """
    manifest = _manifest("identities", settings, show)
    faces_of = {path.stem: path for path in face_manifests(settings, show)}
    require_made([manifest, *faces_of.values()], "identities")
    tracks = read(manifest, IDENTITIES).rows[["episode", "track", "person", "faces", "distance"]]
    out.mkdir(parents=True, exist_ok=True)
    people = tracks.groupby("person").agg(
        tracks=("track", "size"), faces=("faces", "sum"), distance=("distance", "mean")
    )
    people = people.sort_values("faces", ascending=False, kind="stable")
    with atomic(out / INDEX) as temporary:
        people.round(3).to_csv(temporary, sep="\t")
    yield out / INDEX

    show_faces = _ShowFaces(settings, faces_of)
    for person, row in people.iterrows():
        if row["faces"] < min_faces:
            break
        sheet = _sheet(show_faces, tracks[tracks["person"] == person], per_person)
        path = out / f"{_file_name(str(person))}.jpg"
        _write_jpeg(path, sheet)
        yield path


class _ShowFaces:
    """Frames and faces of the episodes of a show, kept in memory for the sheets of all people."""

    def __init__(self, settings: Settings, faces_of: Mapping[str, Path]) -> None:
        self._settings, self._faces_of = settings, faces_of
        self._episodes: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}

    def episode(self, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return frames, and faces without their embeddings, of an episode."""
        if name not in self._episodes:
            frames = read(_manifest("frames", self._settings, name), FRAMES).rows
            self._episodes[name] = frames, read(self._faces_of[name], FACES).rows[_FACE]
        return self._episodes[name]


def _sheet(show_faces: _ShowFaces, tracks: pd.DataFrame, per_person: int) -> Image:
    """Return the contact sheet of a person with these tracks."""
    shown = evenly(tracks.sort_values(["episode", "track"]), per_person)
    cells, captions = [], []
    for episode, group in shown.groupby("episode", sort=True):
        frames, faces = show_faces.episode(str(episode))
        for track in group["track"]:
            for face in _shown(faces[faces["track"] == track], max(1, per_person // len(shown))).itertuples():
                cells.append(face_cut(frames, face))
                captions.append(f"{episode}:{track}")
    return drawing.contact_sheet(cells, captions, COLUMNS, (144, 144))


def _write_jpeg(path: Path, sheet: Image) -> None:
    with atomic(path) as temporary:
        stored, data = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
        if not stored:
            raise RuntimeError(f"{path}: OpenCV could not compress a sheet of shape {sheet.shape}")
        temporary.write_bytes(data.tobytes())


def _manifest(stage: str, settings: Settings, shard: str) -> Path:
    path = outputs(stage, settings, shard)["manifest"]
    assert isinstance(path, Path)
    return path


def _shown(faces: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return ``count`` faces of a track, spread over it; of one, the most certain."""
    if count == 1:
        return faces.sort_values("score", ascending=False, kind="stable").head(1)
    return evenly(faces.sort_values("frame"), count)


def _file_name(person: str) -> str:
    """Return a name without characters that file systems refuse."""
    return "".join(letter if letter.isalnum() or letter in "-_ " else "_" for letter in person) or "_"
