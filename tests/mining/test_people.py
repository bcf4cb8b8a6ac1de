"""Clustering of tracks into people."""

import numpy as np

from tvface.embedders.base import unit
from tvface.mining.people import cluster, in_order, names_from_gallery, people, seen_together


def looks(person: int, count: int, spread: float = 0.1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed + person)
    return unit(np.eye(16)[person] + spread * rng.standard_normal((count, 16)) / 4)


def test_tracks_of_one_person_join_and_others_stay_apart() -> None:
    rows = np.concatenate([looks(0, 3), looks(1, 3)])[[0, 3, 1, 4, 2, 5]]
    assert cluster(rows, np.zeros((6, 6), bool), 0.7).tolist() == [0, 1, 0, 1, 0, 1]


def test_faces_seen_together_are_never_one_person_however_alike() -> None:
    twins = looks(0, 4, spread=0.01)
    apart = np.zeros((4, 4), bool)
    apart[0, 1] = apart[1, 0] = True
    clusters = cluster(twins, apart, 0.7)
    assert clusters[0] != clusters[1] and len(set(clusters.tolist())) == 2


def test_small_inputs() -> None:
    assert cluster(np.zeros((0, 4)), np.zeros((0, 0), bool), 0.5).shape == (0,)
    assert cluster(looks(0, 1), np.zeros((1, 1), bool), 0.5).tolist() == [0]
    assert in_order(np.array([7, 3, 7, 5])).tolist() == [0, 1, 0, 2]


def test_seen_together() -> None:
    table = seen_together(np.array([0, 1, 0, 2]), np.array([0, 0, 1, 1]), 3)
    assert table.tolist() == [[False, True, True], [True, False, False], [True, False, False]]


def test_people_are_found_again_in_the_next_episode() -> None:
    rows = np.concatenate([looks(0, 2), looks(1, 2), looks(1, 2, seed=9), looks(0, 1, seed=9), looks(2, 1)])
    episode = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    together = {0: np.zeros((4, 4), bool), 1: np.zeros((4, 4), bool)}
    persons = people(rows, episode, np.full(8, 9), together, 0.7, 3)
    assert persons.tolist() == [0, 0, 1, 1, 1, 1, 0, 2]


def test_a_threshold_means_the_same_within_an_episode_and_across() -> None:
    """Groups whose tracks are further apart than the threshold stay two people, though their centres are nearer."""
    rng = np.random.default_rng(0)
    spread = rng.standard_normal((12, 64)) * 0.05
    centres = np.zeros((2, 64))
    centres[0, 0] = centres[1, 0] = 1
    centres[1, 1] = 0.55
    rows = unit(np.repeat(centres, 6, 0) + spread)
    same = np.linalg.norm(rows[:6, None] - rows[None, :6], axis=-1)[np.triu_indices(6, 1)]
    other = np.linalg.norm(rows[:6, None] - rows[None, 6:], axis=-1)
    threshold = float(same.max() + 0.3 * (other.mean() - same.max()))
    assert same.max() < threshold < other.mean()
    assert np.linalg.norm(unit(rows[:6].mean(0)) - unit(rows[6:].mean(0))) < threshold, "or this would show nothing"
    free = {0: np.zeros((6, 6), bool), 1: np.zeros((6, 6), bool)}
    across = people(rows, np.repeat([0, 1], 6), np.full(12, 9), free, threshold, 3)
    within = people(rows, np.zeros(12, int), np.full(12, 9), {0: np.zeros((12, 12), bool)}, threshold, 3)
    assert across.tolist() == within.tolist() == [0] * 6 + [1] * 6


def test_means_of_joined_tracks_are_as_far_apart_as_the_tracks() -> None:
    tracks = np.concatenate([looks(0, 4, 1.0), looks(1, 4, 1.0)])
    squared = np.linalg.norm(tracks[:4, None] - tracks[None, 4:], axis=-1) ** 2
    limit = float(np.sqrt(squared.mean()))
    means = np.stack([tracks[:4].mean(0), tracks[4:].mean(0)])
    free = np.zeros((2, 2), bool)
    assert cluster(means, free, limit - 1e-6).tolist() == [0, 1]
    assert cluster(means, free, limit + 1e-6).tolist() == [0, 0]


def test_short_tracks_keep_a_person_of_their_own() -> None:
    rows = np.concatenate([looks(0, 3), looks(0, 1)])
    persons = people(rows, np.zeros(4, int), np.array([9, 9, 2, 9]), {0: np.zeros((4, 4), bool)}, 0.7, 3)
    assert persons.tolist() == [0, 0, 1, 0]


def test_gallery_names_the_nearest_people_and_spares_strangers() -> None:
    rows = np.concatenate([looks(0, 2), looks(1, 2), looks(2, 1)])
    person = np.array([0, 0, 1, 1, 2])
    gallery = {"ada": looks(0, 1, seed=5)[0], "bob": looks(1, 1, seed=5)[0]}
    apart = np.zeros((3, 3), bool)
    assert names_from_gallery(person, rows, gallery, apart, 0.6) == {0: "ada", 1: "bob"}
    # Two people who look like Ada but were seen together: the nearer gets the name.
    twins = np.concatenate([looks(0, 1, 0.05), looks(0, 1, 0.4, seed=3)])
    apart = np.array([[False, True], [True, False]])
    assert names_from_gallery(np.array([0, 1]), twins, {"ada": np.eye(16)[0]}, apart, 0.9) == {0: "ada"}
