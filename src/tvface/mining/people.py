"""Clustering of face tracks into people: average linkage with cannot-link pairs, in two levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from tvface.embedders.base import unit
from tvface.mining.decisions import joined

# Larger than any mean of real squared distances (<= 4) times the largest number of pairs between two clusters.
_NEVER = 1e9


def cluster(embeddings: NDArray[np.floating], cannot_link: NDArray[np.bool_], threshold: float) -> NDArray[np.int32]:
    """Join rows bottom-up while the root mean square distance between two clusters is at most ``threshold``.

    Average linkage (UPGMA) of squared distances. Squares, because the mean square distance of the members of two
    groups follows from the groups' means alone, 2 - 2 a.b: rows may be means of unit vectors that were joined before,
    and are then as far apart as their members are. The distance of two *scaled* means would be shorter than any of
    their members' and a threshold for tracks would join strangers.

    Args:
        embeddings: (N, D) unit vectors, or means of unit vectors (not scaled to unit length again).
        cannot_link: (N, N) symmetric; true pairs never end in one cluster, directly or through others.
        threshold: Euclidean distance, 0..2.

    Returns:
        (N,) cluster numbers from 0, in order of the first member.
    """
    count = len(embeddings)
    if count < 2:
        return np.zeros(count, np.int32)
    rows = np.asarray(embeddings, np.float64)
    squared = squareform(np.maximum(2 - 2 * rows @ rows.T, 0), checks=False)
    squared[squareform(cannot_link, checks=False)] = _NEVER
    return in_order(fcluster(linkage(squared, "average"), threshold**2, "distance"))


def in_order(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Renumber labels from 0 in order of their first appearance."""
    names, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(names), np.int32)
    rank[np.argsort(first)] = np.arange(len(names), dtype=np.int32)
    return rank[inverse]


def seen_together(track: NDArray[np.integer], frame: NDArray[np.integer], count: int) -> NDArray[np.bool_]:
    """Return the (count, count) table of tracks (numbered below ``count``) that have a frame in common."""
    together = np.zeros((count, count), bool)
    for number in np.unique(frame):
        members = np.unique(track[frame == number])
        together[np.ix_(members, members)] = True
    np.fill_diagonal(together, False)
    return together


def people(
    embeddings: NDArray[np.floating],
    episode: NDArray[np.integer],
    faces: NDArray[np.integer],
    together: Mapping[int, NDArray[np.bool_]],
    threshold: float,
    min_faces: int,
    same: Sequence[tuple[int, int]] = (),
    apart: Sequence[tuple[int, int]] = (),
) -> NDArray[np.int32]:
    """Cluster the tracks of a show into people.

    First inside every episode, then the episodes' people (the means of their tracks) over the show, by the same
    distance; people whom an episode has kept apart stay apart. So memory grows with the square of an episode, not of a
    show.

    Args:
        embeddings: (N, D) track means of unit length.
        episode: (N,) number of each track's episode.
        faces: (N,) faces of each track; tracks with fewer than ``min_faces`` keep a person of their own.
        together: per episode the (n, n) table of tracks seen together, in the order of its tracks here.
        threshold: root mean square distance up to which two clusters are one person.
        min_faces: see ``faces``.
        same, apart: pairs of tracks by which a human has joined two people, or split one (see
            :mod:`tvface.mining.decisions`).

    Returns:
        (N,) person numbers from 0 in order of the first track.
    """
    local = np.full(len(embeddings), -1, np.int64)
    total = 0
    for number in np.unique(episode):
        rows = np.flatnonzero(episode == number)
        solid = faces[rows] >= min_faces
        inside = rows[solid]
        never = together[int(number)][np.ix_(solid, solid)]
        for first, second in _within(apart, inside):
            never[first, second] = never[second, first] = True
        local[inside] = total + cluster(embeddings[inside], never, threshold)
        total += int(local[inside].max()) - total + 1 if len(inside) else 0
    solid = local >= 0
    if total:
        means = np.stack([embeddings[local == group].mean(0) for group in range(total)])
        home = np.array([episode[np.argmax(local == group)] for group in range(total)])
        never = home[:, None] == home[None]
        np.fill_diagonal(never, False)
        for first, second in apart:
            if solid[first] and solid[second]:
                never[local[first], local[second]] = never[local[second], local[first]] = True
        local[solid] = cluster(means, never, threshold)[local[solid]]
    local[~solid] = total + np.arange(int((~solid).sum()))
    # Last, so that the tracks clustered with one of the two are joined as well.
    merged = joined(int(local.max(initial=-1)) + 1, [(int(local[first]), int(local[second])) for first, second in same])
    return in_order(merged[local])


def _within(pairs: Sequence[tuple[int, int]], rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the pairs of which both rows are among ``rows``, as places in it."""
    place = {int(row): index for index, row in enumerate(rows)}
    return [(place[a], place[b]) for a, b in pairs if a in place and b in place]


def names_from_gallery(
    person: NDArray[np.int32],
    embeddings: NDArray[np.floating],
    gallery: Mapping[str, NDArray[np.floating]],
    apart: NDArray[np.bool_],
    threshold: float,
) -> dict[int, str]:
    """Name people after the nearest gallery face within ``threshold``, nearest first.

    Several people may get one name (one actor in two looks) unless they were seen together.

    Args:
        person: (N,) person of each track.
        embeddings: (N, D) track means.
        gallery: name -> (D,) unit embedding.
        apart: (P, P) people seen together in a frame.
        threshold: largest distance.

    Returns:
        person -> name, for those that have one.
    """
    pairs = []
    for number in np.unique(person):
        mean = unit(embeddings[person == number].mean(0))
        pairs += [(float(np.linalg.norm(mean - face)), int(number), name) for name, face in sorted(gallery.items())]
    names: dict[int, str] = {}
    for distance, number, name in sorted(pairs):
        taken = [other for other, its_name in names.items() if its_name == name]
        if distance <= threshold and number not in names and not apart[number, taken].any():
            names[number] = name
    return names
