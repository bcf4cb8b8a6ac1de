"""Stage ``identities``: cluster the tracks of one show into people, named from a cast gallery if there is one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tvface import detectors, embedders
from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.embedders.base import unit
from tvface.embedders.crops import aligned_crop, box_crop
from tvface.manifests import read, write
from tvface.manifests.faces import FACES
from tvface.manifests.identities import IDENTITIES
from tvface.media.images import read_image
from tvface.mining.decisions import DROPPED, Constraints, read_decisions
from tvface.mining.people import names_from_gallery, people, seen_together
from tvface.runtime.logging import logger
from tvface.settings import Settings, SettingsError

_PICTURES = (".jpg", ".jpeg", ".png")
log = logger("identities")


@stage_run("identities")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Write the identities manifest of show ``shard``.

    Args:
        inputs: ``faces``, the face manifests of the show's episodes; ``decisions``, the file of the decisions
            of a human, or an empty list.
        outputs: ``manifest`` (:data:`IDENTITIES`): one row per track.

    Raises:
        SettingsError: ``identities.cast`` names no gallery of this show.
        DecisionError: a decision cannot be followed.
    """
    person_settings = settings.identities
    distances = embedders.distances(settings.faces.embedder)
    threshold = distances.person_distance if person_settings.threshold is None else person_settings.threshold
    paths = [inputs["faces"]] if isinstance(inputs["faces"], str | Path) else inputs["faces"]
    columns = ["show", "episode", "frame", "track", "embedding"]
    # Only means of tracks are kept: the faces of a whole show would not fit.
    tables, together = [], {}
    for number, path in enumerate(paths):
        rows = read(path, FACES).rows[columns]
        tables.append(_tracks(rows).assign(number=number))
        together[number] = seen_together(rows["track"].to_numpy(), rows["frame"].to_numpy(), len(tables[-1]))
    tracks = pd.concat(tables, ignore_index=True) if tables else _tracks(FACES.empty()[columns]).assign(number=0)
    notes: dict[str, object] = {"threshold": threshold, "tracks": len(tracks)}
    if len(tracks):
        means = np.stack(tracks["embedding"].to_list())
        episode = tracks["number"].to_numpy(np.int64)
        decided = _decided(inputs, tracks)
        counted = tracks["faces"].to_numpy().copy()
        counted[decided.drop] = 0  # tracks that a human dropped do not shape a person
        min_faces = person_settings.min_faces
        person = people(means, episode, counted, together, threshold, min_faces, decided.same, decided.apart)
        names = {int(number): f"p{number:03d}" for number in np.unique(person)}
        if person_settings.cast is not None:
            gallery = _gallery(Path(person_settings.cast), shard, settings)
            named = names_from_gallery(person, means, gallery, _apart(person, episode, together), threshold)
            names |= named
            notes["named"] = len(named)
        names |= decided.named(person)
        tracks["person"] = [names[int(number)] for number in person]
        tracks.loc[decided.drop, "person"] = DROPPED
        notes["decisions"] = decided.count
        tracks["distance"] = _to_person(tracks["person"].to_numpy(), means)
    else:
        tracks["person"], tracks["distance"] = "", 0.0
    notes["people"] = int(tracks.loc[tracks["person"] != DROPPED, "person"].nunique())
    recorded = provenance("identities", settings, inputs, backend=settings.faces.embedder, notes=notes)
    write(outputs["manifest"], IDENTITIES, tracks.drop(columns="number"), recorded)
    log.info("%s: %d tracks, %d people", shard, len(tracks), notes["people"])


def _decided(inputs: Paths, tracks: pd.DataFrame) -> Constraints:
    decisions = inputs.get("decisions") or []
    paths = [decisions] if isinstance(decisions, str | Path) else list(decisions)
    if not paths:
        return Constraints.none()
    rows = {(row.episode, int(row.track)): index for index, row in enumerate(tracks.itertuples())}
    return Constraints(read_decisions(Path(paths[0])), rows)


def _tracks(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per track: number of faces and mean embedding."""
    track_rows = [
        {
            "show": group["show"].iloc[0],
            "episode": group["episode"].iloc[0],
            "track": track,
            "faces": len(group),
            "embedding": unit(np.stack(group["embedding"].to_list()).mean(0)),
        }
        for track, group in rows.groupby("track", sort=True)
    ]
    return pd.DataFrame(track_rows, columns=["show", "episode", "track", "faces", "embedding"])


def _to_person(person: NDArray[np.object_], means: NDArray[np.float32]) -> NDArray[np.float32]:
    distance = np.zeros(len(person), np.float32)
    for name in set(person):
        rows = person == name
        distance[rows] = np.linalg.norm(means[rows] - unit(means[rows].mean(0)), axis=1)
    return distance


def _apart(
    person: NDArray[np.int32], episode: NDArray[np.int64], together: Mapping[int, NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    apart = np.zeros((int(person.max()) + 1,) * 2, bool)
    for number, table in together.items():
        of_track = person[episode == number]
        first, second = np.nonzero(table)
        apart[of_track[first], of_track[second]] = True
    return apart


def _gallery(folder: Path, show: str, settings: Settings) -> dict[str, NDArray[np.float32]]:
    """Embed the largest face of every picture in ``<folder>/<show>/<name>/`` and average per name."""
    cast = folder / show
    if not cast.is_dir():
        raise SettingsError(f"identities.cast: {cast} is not a folder; put pictures at {cast}/<name>/*.jpg")
    detector = detectors.create(settings.faces.detector, settings.faces)
    embedder = embedders.create(settings.faces.embedder, settings.faces)
    gallery = {}
    for person in sorted(path for path in cast.iterdir() if path.is_dir()):
        embeddings = []
        for picture in sorted(path for path in person.iterdir() if path.suffix.lower() in _PICTURES):
            image = read_image(picture)
            faces = detector.detect([image])[0]
            if len(faces.boxes) == 0:
                log.warning("%s: no face found; the picture does not count", picture)
                continue
            aligned = embedder.crop == "aligned"
            crop = (
                aligned_crop(image, faces.points[0])
                if aligned
                else box_crop(image, faces.boxes[0], settings.faces.margin)
            )
            embeddings.append(embedder.embed(crop[None])[0])
        if not embeddings:
            raise SettingsError(f"identities.cast: no picture in {person} shows a face; add one or remove the folder")
        gallery[person.name] = unit(np.mean(embeddings, axis=0))
    return gallery
