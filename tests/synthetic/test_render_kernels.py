"""The compiled loops of the renderer and the painters beside slow references."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tvface.synthetic.hair.texture_numba import gather, lay
from tvface.synthetic.render import kernels, light_numba, shading_numba
from tvface.synthetic.render.gleam import gleam
from tvface.synthetic.render.light import cross
from tvface.synthetic.render.surfaces import Relief, filled_box
from tvface.synthetic.show.film import _add_noise


def test_a_pixel_gets_the_class_of_most_of_its_samples_and_of_the_first_on_a_tie() -> None:
    rng = np.random.default_rng(0)
    for samples in (1, 2, 3):
        fine = rng.integers(0, 3, (8 * samples, 7 * samples)).astype(np.uint8)
        labels = np.empty((8, 7), np.uint8)
        kernels.majority(fine, samples, labels)
        for y, x in np.ndindex(labels.shape):
            block = fine[y * samples : (y + 1) * samples, x * samples : (x + 1) * samples].ravel().tolist()
            counts = Counter(block)
            # The first class that reaches the greatest count while the block is read.
            seen: Counter[int] = Counter()
            for value in block:
                seen[value] += 1
                if seen[value] == max(counts.values()):
                    assert labels[y, x] == value
                    break


def test_person_and_depth_come_from_the_sample_beside_the_pixels_middle() -> None:
    rng = np.random.default_rng(1)
    face = rng.integers(-1, 9, (12, 16)).astype(np.int32)
    near = rng.uniform(0.5, 2, face.shape).astype(np.float32)
    person, depth = np.empty((6, 8), np.int8), np.empty((6, 8), np.float32)
    kernels.centres(face, near, 2, np.array([0, 5], np.int32), person, depth)
    middle = face[1::2, 1::2]
    np.testing.assert_array_equal(person, np.where(middle < 0, -1, np.where(middle < 5, 0, 1)))
    np.testing.assert_array_equal(depth, np.where(middle < 0, np.float32(np.inf), 1 / near[1::2, 1::2]))


def test_the_extent_counts_points_before_the_camera_only() -> None:
    points = np.array([(1, 2, 1), (-4, 7, 0.5), (100, -100, -1), (50, 50, 0)], np.float32)
    assert kernels.extent(points) == ((-4, 2), (1, 7))
    least, greatest = kernels.extent(points[2:])
    assert least[0] > greatest[0]


def test_a_relief_adds_its_maps_inside_their_boxes() -> None:
    rng = np.random.default_rng(2)
    maps = [np.zeros((16, 16), np.float32) for _ in range(3)]
    maps[0][3:6, 8:] = rng.normal(size=(3, 8))
    maps[1][:] = rng.normal(size=(16, 16))
    levels = tuple((one, one[::2, ::2].copy()) for one in maps)
    boxes = tuple(tuple(filled_box(level) for level in pair) for pair in levels)
    assert boxes[0][0] == (slice(3, 6), slice(8, 16)) and boxes[2][0] == (slice(0, 0), slice(0, 0))
    relief = Relief(levels, np.array([2.0, 0.5, 1.0]), boxes)
    for level in (0, 1):
        expected = 2e-3 * levels[0][level] + 0.5e-3 * levels[1][level]
        np.testing.assert_allclose(relief.at(level), expected, rtol=1e-6)


def test_the_cross_product_of_two_vectors_is_numpys() -> None:
    rng = np.random.default_rng(3)
    for one, other in rng.normal(size=(20, 2, 3)):
        np.testing.assert_array_equal(cross(one, other), np.cross(one, other))


def test_noise_hair_and_bytes_are_those_of_numpy() -> None:
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (9, 11, 3)).astype(np.uint8)
    noise = rng.normal(0, 40, (9, 11))
    noisy = np.empty_like(image)
    _add_noise(image, noise, noisy)
    np.testing.assert_array_equal(noisy, np.clip(image + noise[..., None], 0, 255).astype(np.uint8))

    colour, paint = rng.random((2, 9, 11, 3), np.float32)
    opacity = np.maximum(rng.normal(0.2, 0.4, (9, 11)), 0).clip(0, 1).astype(np.float32)
    weight = (opacity * 0.8)[:, :, None]
    expected = colour * (1 - weight) + weight * paint
    lay(colour, opacity, 0.8, paint)
    np.testing.assert_array_equal(colour, expected)

    row, column = (rng.integers(0, side, (9, 11)).astype(np.int32) for side in (9, 11))
    result = np.empty_like(image)
    gather(1.2 * colour - 0.1, row, column, result)
    np.testing.assert_array_equal(
        result, np.clip((1.2 * colour - 0.1)[row, column] * 255 + 0.5, 0, 255).astype(np.uint8)
    )


def _slowly(mesh, look, light, lamp, f, i, j):  # type: ignore[no-untyped-def]
    """Shade sample (i, j) of triangle f: class and colour (3,)."""
    soft = light.astype(float)
    soft[1:4] *= light_numba.SOFT[:, 0]
    soft[4:] *= light_numba.SOFT[:, 1]
    face, corners = mesh.faces[f], look.corners[f].astype(float)
    (x0, y0, z0), (x1, y1, z1), (x2, y2, z2) = mesh.points[face].astype(float)
    w = np.array(
        [
            ((x1 - i) * (y2 - j) - (y1 - j) * (x2 - i)) * z0,
            ((x2 - i) * (y0 - j) - (y2 - j) * (x0 - i)) * z1,
            ((x0 - i) * (y1 - j) - (y0 - j) * (x1 - i)) * z2,
        ]
    )
    w /= w.sum()
    u, v = w @ corners
    label = look.classes[np.clip(int(v + 0.5), 0, len(look.classes) - 1), np.clip(int(u + 0.5), 0, 99)]
    smooth = w @ mesh.normals[face]
    smooth = smooth / np.linalg.norm(smooth)
    s, t = ((np.array([u, v]) + 0.5) * look.texture_scale - 0.5).clip(0, np.array(look.relief.shape[::-1]) - 1.001)
    p, q = int(s), int(t)
    s, t = s - p, t - q
    bent = shading_numba.tilted.py_func(
        tuple(smooth), mesh.vertices.astype(float), *face, corners, look.relief, look.texture_scale, p, q, s, t
    )
    normal, arrives = np.array(bent), w @ mesh.reach[face]

    def between(image: np.ndarray) -> np.ndarray:
        a, b, c, d = (image[q + y, p + x].astype(float) for y in (0, 1) for x in (0, 1))
        return (1 - t) * ((1 - s) * a + s * b) + t * ((1 - s) * c + s * d)

    def lit(factors: np.ndarray, n: np.ndarray) -> float:
        x, y, z = n
        return float(np.array([1, x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1]) @ factors)

    value, shading = between(look.texture), w @ mesh.lamps[face]
    if label >= light_numba.BARE:
        shading = shading + arrives * np.array([lit(light[:, k], normal) for k in range(3)])
        return label, [light_numba.rolled_off.py_func(c) for c in np.maximum(shading, 0.02) * value]
    sharp = look.sheen[q, p, 1] / 255
    oil = arrives if sharp > 0.95 else look.gloss * arrives
    axes = lamp.sun, lamp.half, lamp.side, lamp.top, lamp.eye
    specular, rim = light_numba.mirrored.py_func(axes, *normal, between(look.sheen)[0] / 255, sharp)
    rim *= oil * 0.18 * max(0.4 + 0.6 * normal[1], 0)
    colour = []
    for k in range(3):
        leaning = smooth + light_numba.SLOPE[k] * (normal - smooth)
        full = shading[k] + max(lit(soft[:, k], leaning), 0.02) * arrives * (1 + light_numba.LEAK[k] * (1 - arrives))
        full *= 1 - light_numba.DEEPEN[k] * max(1 - full, 0)
        mirror = specular * oil * lamp.gain[k] + rim * max(light[0, k], 0)
        colour.append(light_numba.rolled_off.py_func(full * value[k] + 255 * mirror))
    return label, colour


def test_shading_is_that_of_single_samples() -> None:
    rng = np.random.default_rng(5)
    side, count = 40, 12
    points = np.concatenate([rng.uniform(0, side, (count, 2)), rng.uniform(0.8, 1.2, (count, 1))], 1).astype(np.float32)
    faces = np.array([rng.permutation(count)[:3] for _ in range(9)], np.int32)
    normals = rng.normal((0, 0, 1), 0.3, (count, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    reach, lamps = rng.random(count, np.float32), 0.3 * rng.random((count, 3), np.float32)
    vertices = rng.normal(0, 0.05, (count, 3)).astype(np.float32)
    mesh = shading_numba.Projected(points, faces, 0, vertices, normals, reach, lamps)
    classes = rng.choice([1, 2, 17], (100, 100)).astype(np.uint8)
    sheen = rng.integers(0, 256, (50, 50, 2)).astype(np.uint8)
    relief = rng.normal(0, 1e-4, (50, 50)).astype(np.float32)
    texture = rng.integers(0, 256, (50, 50, 3)).astype(np.uint8)
    corners = rng.uniform(0, 99, (9, 3, 2)).astype(np.float32)
    look = shading_numba.Look(corners, classes, texture, 0.5, relief, 0.7, sheen)
    light = rng.normal(0, 0.1, (9, 3)).astype(np.float32)
    light[0] = 0.8
    lamp = gleam(light, np.array([0.1, 0.0, 1.0]))
    face, near = np.full((side, side), -1, np.int32), np.zeros((side, side), np.float32)
    kernels.fill(points, faces, 0, face, near)
    total, labels = np.zeros((side // 2, side // 2, 4), np.float32), np.zeros((side, side), np.uint8)
    shading_numba.shade(mesh, look, light, lamp, face, np.array([0, side, 0, side]), 2, total, labels)
    expected = np.zeros_like(total)
    shown = np.argwhere(face >= 0)
    assert len(shown) > 3 * light_numba.BATCH
    for j, i in shown:
        label, colour = _slowly(mesh, look, light, lamp, face[j, i], int(i), int(j))
        assert labels[j, i] == label
        expected[j // 2, i // 2] += [*colour, 1]
    np.testing.assert_allclose(total, expected, rtol=1e-4, atol=1e-3)
