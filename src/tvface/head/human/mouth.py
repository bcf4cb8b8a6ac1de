"""Lips that meet: MakeHuman's neutral mouth is open by one to three millimetres, differently in every person.

Round the mouth the skin consists of rings of 38 vertices. The third ring from the seam between skin and mouth is where
the lips touch. A linear operator moves the two halves of that ring onto one line, and the rings around and behind it
along with them, with decreasing weight. Being linear, it closes the gap in the mean and in the basis alike.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array, eye_array

from tvface.head.human.cut import Cut

CONTACT = 2  # the ring that touches, counted from the seam
FAR = 99  # ring of all vertices beyond nine rings
OUTER, INNER = 9, 7  # rings outside and inside of the seam from which nothing moves


def rings(cut: Cut) -> np.ndarray:
    """Return (V,) the ring round the mouth: 0 on the seam, positive on the skin, negative inside; else FAR."""
    skin = np.unique(cut.quads[cut.piece("face")])
    bag = np.unique(cut.quads[cut.piece("bag")])
    near = cut.neighbours()
    ring = np.full(len(cut.source), FAR)
    seam = np.intersect1d(skin, bag)
    ring[seam] = 0
    for side, sign in ((skin, 1), (bag, -1)):
        allowed = np.zeros(len(ring), bool)
        allowed[side] = True
        front = seam
        for step in range(1, 10):
            reached = np.unique(near[front].nonzero()[1])
            front = reached[(ring[reached] == FAR) & allowed[reached]]
            ring[front] = sign * step
    return ring


def contact(cut: Cut, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the vertices of the contact line on the upper and on the lower lip, from the subject's right to left, each
    with both corners."""
    members = np.flatnonzero(rings(cut) == CONTACT)
    near = cut.neighbours()[members][:, members].toarray() > 0
    order = [int(np.argmin(positions[members, 0]))]
    while len(order) < len(members):
        options = [k for k in np.flatnonzero(near[order[-1]]) if k not in order]
        # The first step goes along the upper lip.
        order.append(int(max(options, key=lambda k: positions[members[k], 1])))
    half = order.index(int(np.argmax(positions[members, 0])))
    return members[order[: half + 1]], members[[order[0], *order[: half - 1 : -1]]]


def closing(cut: Cut, positions: np.ndarray) -> csr_array:
    """Return the (V,V) operator that closes the lips of any head of this topology; ``positions`` (V,3) of a mean head
    determine which vertices face each other."""
    upper, lower = contact(cut, positions)
    count = len(cut.source)
    to_lower = _between(positions, upper, lower, count)
    to_upper = _between(positions, lower, upper, count)
    identity = eye_array(count, format="csr")
    # The upper half goes half of the way, the lower half onto the line that the upper one then makes.
    upper_new = 0.5 * (identity[upper] + to_lower)
    place = np.full(count, -1)
    place[upper] = np.arange(len(upper))
    coo = coo_array(to_upper)
    within = coo_array((coo.data, (coo.row, place[coo.col])), shape=(len(lower), len(upper)))
    lower_new = csr_array(within) @ upper_new
    moved = np.concatenate([upper[1:-1], lower[1:-1]])
    rows = _stack(upper_new[1:-1] - identity[upper[1:-1]], lower_new[1:-1] - identity[lower[1:-1]])
    return csr_array(identity + _spread(cut, moved, count) @ rows)


def _stack(first: csr_array, second: csr_array) -> csr_array:
    a, b = coo_array(first), coo_array(second)
    data = (
        np.concatenate([a.data, b.data]),
        (
            np.concatenate([a.row, b.row + a.shape[0]]),
            np.concatenate([a.col, b.col]),
        ),
    )
    return csr_array(coo_array(data, shape=(a.shape[0] + b.shape[0], a.shape[1])))


def _between(positions: np.ndarray, of: np.ndarray, line: np.ndarray, count: int) -> csr_array:
    """Return weights (len(of), V) of the point of ``line`` at the x of each of the vertices ``of``."""
    x = positions[line, 0]
    at = np.clip(positions[of, 0], x[0], x[-1])
    k = np.clip(np.searchsorted(x, at, "right") - 1, 0, len(line) - 2)
    share = np.clip((at - x[k]) / (x[k + 1] - x[k]), 0, 1)
    row = np.arange(len(of))
    table = coo_array(
        (np.concatenate([1 - share, share]), (np.concatenate([row, row]), np.concatenate([line[k], line[k + 1]]))),
        shape=(len(of), count),
    )
    return csr_array(table)


def _spread(cut: Cut, moved: np.ndarray, count: int) -> csr_array:
    """Return (V, len(moved)) how much each vertex follows each vertex of the contact line: the column of its rings,
    1 from the seam to the contact line, smoothly 0 at the outermost and innermost ring."""
    ring, near = rings(cut), cut.neighbours()
    follow = np.zeros((count, len(moved)))
    follow[moved, np.arange(len(moved))] = 1
    done = ring == CONTACT
    for level in (1, 0, *range(-1, -INNER, -1), *range(3, OUTER)):
        inward = level < CONTACT
        members = np.flatnonzero(ring == level)
        before = near[members].toarray() * (done & (ring == level + (1 if inward else -1)))
        follow[members] = (before @ follow) / np.maximum(before.sum(1, keepdims=True), 1)
        done[members] = True
    outside = np.clip((ring - CONTACT) / (OUTER - CONTACT), 0, 1)
    inside = np.clip(-ring / INNER, 0, 1)
    fade = np.cos(0.5 * np.pi * np.where(ring > CONTACT, outside, inside)) ** 2
    return csr_array(follow * fade[:, None])
