"""Footage that is shown twice."""

import numpy as np

from tvface.mining.recaps import hash_distance, recaps


def test_bits_are_counted_in_all_64() -> None:
    assert hash_distance(np.array([0, -1], np.int64), np.array([1], np.int64)).tolist() == [[1], [63]]
    assert hash_distance(np.array([-(2**63)], np.int64), np.array([0, 3], np.int64)).tolist() == [[1, 3]]


def test_recaps_are_found_in_other_takes_only() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(-(2**62), 2**62, 10)
    again = np.concatenate([first[4:] ^ 1, rng.integers(-(2**62), 2**62, 4)])
    other = rng.integers(-(2**62), 2**62, 10)
    assert recaps([first, other, again], [0, 3, 7], 4) == [False, False, True]
    assert recaps([first, other, again], [0, 3, 7], None) == [False, False, False]
    assert recaps([first, again], [0, 0], 4) == [False, False]
    assert recaps([first, np.concatenate([first[:4], other[4:]])], [0, 5], 4) == [False, False]
    # Half a sequence from the one and half from the other is a repeat of neither.
    assert recaps([first, other, np.concatenate([first[:4], other[:4], again[8:]])], [0, 1, 2], 4) == [False] * 3
    assert recaps([], [], 4) == []


def test_a_repeat_of_a_repeat_is_one_of_the_original_and_stands_for_nothing() -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(-(2**62), 2**62, 4)
    second = first.copy()
    second[2:] = rng.integers(-(2**62), 2**62, 2)
    third = second.copy()
    third[:2] = rng.integers(-(2**62), 2**62, 2)
    assert recaps([first, second, first], [0, 1, 2], 4) == [False, True, True]
    # The second is no part of the data, so what looks like it alone may stay.
    assert recaps([first, second, third], [0, 1, 2], 4) == [False, True, False]


def test_against_counting_pair_by_pair() -> None:
    rng = np.random.default_rng(2)
    pool = rng.integers(-(2**62), 2**62, 6)
    hashes = [rng.choice(pool, int(rng.integers(2, 6))) ^ (1 << rng.integers(0, 3)) for _ in range(40)]
    take = rng.integers(0, 8, 40).tolist()
    expected: list[bool] = []
    for later in range(40):
        hits = [
            2 * sum(min(int(a ^ b).bit_count() for b in hashes[k]) < 2 for a in hashes[later]) >= len(hashes[later])
            for k in range(later)
            if not expected[k] and take[k] != take[later]
        ]
        expected.append(any(hits))
    assert recaps(hashes, take, 2) == expected and 5 < sum(expected) < 35
