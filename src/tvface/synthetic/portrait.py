"""Photographic textures: a public-domain portrait projected on the fitted head."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from tvface.files.atomic import atomic
from tvface.head.data import HeadData
from tvface.synthetic.atlas import EMPTY, SKIN, Atlas, build_atlas
from tvface.synthetic.hair.texture import Texture, finish, hair_colour, scalp_opacity, vertex_values
from tvface.synthetic.looks.frontal import sample
from tvface.synthetic.looks.skin import HAIR, SkinPainter, smoothstep
from tvface.synthetic.people.population import Nature
from tvface.synthetic.people.traits import Traits, draw_traits, rgb
from tvface.synthetic.person import Stage, rotation_matrix
from tvface.synthetic.portrait_fit import (
    POINTS_FILE,
    PORTRAITS,
    PortraitFit,
    fit_portrait,
    portrait_picture,
    portrait_points,
)
from tvface.synthetic.render import kernels
from tvface.synthetic.render.scene import Camera

HAT = 18  # zllrunning class
FORMAT = 1  # of the cached files
OVERSAMPLING = 3  # z-buffer samples per pixel of the photograph
SEEN_SLACK = 0.003  # metres behind the z-buffer at which a texel still counts as seen
# Beside this module: an edit of one makes the cached portraits anew.
MAKERS = ("atlas.py", "hair/texture.py", "looks/frontal.py", "looks/skin.py", "portrait.py", "portrait_fit.py")


@dataclass(frozen=True)
class Portrait:
    """A photographic texture with the identity of its fit.

    shape (S,): identity code; neutral (E,): the part of the expression that is in the texture and so stays; fit: the
    head in the photograph.
    """

    texture: Texture
    shape: np.ndarray
    neutral: np.ndarray
    fit: PortraitFit


# Sex, age and origin of the women in the portraits.
WOMEN = {"astronaut": Nature(0.0, 42.0, 0.0, 0.0, 1.0), "grace_hopper": Nature(0.0, 77.0, 0.0, 0.0, 1.0)}


def _looks(name: str) -> Traits:
    """Return the looks of the parts that the photograph does not show: eyes, sides and back of the hair, clothes."""
    without: dict[str, Any] = dict.fromkeys(
        ("freckles", "stubble", "beard", "moustache", "eye_shadow", "cloth_stripes", "recession"), 0.0
    )
    looks = draw_traits(0, WOMEN[name])
    plain = dataclasses.replace(looks, **without, age=0.3, spectacles="", hat="", hair_style="short")
    if name == "astronaut":
        return dataclasses.replace(plain, seed=1001, hair_line=38.0, iris=(0.22, 0.13, 0.08), cloth=(0.72, 0.33, 0.10))
    return dataclasses.replace(plain, seed=1002, hair_line=46.0, iris=(0.20, 0.13, 0.10), cloth=(0.05, 0.05, 0.08))


def _project_texels(stage: Stage, fit: PortraitFit, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Project the texels into the photograph: sampling places (S, S, 2) with the residual warp, weight of the view
    (S, S) and normals (S, S, 3)."""
    atlas, head = stage.atlas, stage.head
    rotations = rotation_matrix(fit.joints.reshape(5, 3))
    vertices, _ = stage.deform(stage.identity(fit.shape), fit.expression, rotations)
    vertices = vertices + fit.translation.astype(np.float32)
    corners = head.faces[np.maximum(atlas.face, 0)]
    position = np.einsum("hwi,hwij->hwj", atlas.bary, vertices[corners])
    normal = np.einsum("hwi,hwij->hwj", atlas.bary, stage.normals(vertices)[corners])
    normal /= np.linalg.norm(normal, axis=2, keepdims=True) + 1e-9
    place = fit.camera.project(position.reshape(-1, 3)).reshape(*position.shape)
    cosine = -(normal * position).sum(2) / (np.linalg.norm(position, axis=2) + 1e-9)

    height, width = fit.camera.height * OVERSAMPLING, fit.camera.width * OVERSAMPLING
    screen = fit.camera.project(vertices)
    screen[:, :2] = (screen[:, :2] + 0.5) * OVERSAMPLING - 0.5
    near, face = np.zeros((height, width), np.float32), np.full((height, width), -1, np.int32)
    kernels.fill(screen, head.faces, 0, face, near)
    fine = np.round((place[:, :, :2] + 0.5) * OVERSAMPLING - 0.5).astype(int)
    inside = (fine >= 0).all(2) & (fine[:, :, 0] < width) & (fine[:, :, 1] < height)
    shown = near[np.clip(fine[:, :, 1], 0, height - 1), np.clip(fine[:, :, 0], 0, width - 1)]
    seen = inside & (-position[:, :, 2] <= 1 / np.maximum(shown, 1e-9) + SEEN_SLACK)

    landmarks = fit.camera.project(stage.landmarks(vertices, rotations))[:, :2]
    reach = (
        1.6 * np.ptp(landmarks[:, 0]) * np.array([(-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1)])
    )
    anchors = landmarks.mean(0) + reach
    known = np.concatenate([landmarks, anchors])
    residual = np.concatenate([points - landmarks, np.zeros((8, 2))])
    warp = RBFInterpolator(known, residual, kernel="thin_plate_spline", smoothing=0.5)
    # The warp is smooth: evaluate it on a coarse grid over the picture and look it up.
    step = 4
    grid_y, grid_x = np.mgrid[0 : fit.camera.height + step : step, 0 : fit.camera.width + step : step]
    field = warp(np.stack([grid_x.ravel(), grid_y.ravel()], 1)).reshape(*grid_x.shape, 2).astype(np.float32)
    lookup = (place[:, :, :2] / step).astype(np.float32)
    shifted = place[:, :, :2] + sample(field, lookup)
    weight = np.clip((cosine - 0.2) / 0.35, 0, 1) * np.clip((80 - np.abs(atlas.theta)) / 15, 0, 1)
    below = smoothstep(atlas.position[:, :, 1], atlas.landmarks[8, 1] - 6, atlas.landmarks[8, 1] + 2)
    along = smoothstep(np.abs(atlas.theta), 45, 75)
    weight *= below * (1 - along * smoothstep(atlas.position[:, :, 1], -78, -92))
    return shifted.astype(np.float32), (weight * seen * (atlas.part == SKIN)).astype(np.float32), normal


def _flatten_light(colour: np.ndarray, normal: np.ndarray, weight: np.ndarray, atlas: Atlas) -> np.ndarray:
    """Divide by the photograph's order-1 light, fitted to the brighter three quarters of cheeks and forehead."""
    x, y = np.abs(atlas.position[:, :, 0]), atlas.position[:, :, 1]
    plain = (((y > 22) & (y < 34)) | ((y < -14) & (y > -48) & (x > 20))) & (np.abs(atlas.theta) < 62) & (weight > 0.5)
    luminance = colour @ np.array([0.299, 0.587, 0.114], np.float32)
    bright = plain & (luminance > np.percentile(luminance[plain], 25))
    basis = np.concatenate([np.ones((*normal.shape[:2], 1)), normal], axis=2)
    # A ridge keeps the slopes moderate where cheeks and forehead do not determine them.
    terms = basis[bright]
    penalty = np.diag([0.0, 1, 1, 1]) * 0.02 * len(terms)
    slopes = np.linalg.solve(terms.T @ terms + penalty, terms.T @ luminance[bright])
    shade = basis @ slopes
    relative = np.clip(shade / np.median(shade[bright]), 0.6, 1.3)
    return np.asarray(colour / relative[:, :, None], np.float32)


def push_pull(colour: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Fill pixels of low ``weight`` (H, W) from coarser averages of ``colour`` (H, W, 3) (Gortler et al. 1996)."""
    weight = np.clip(weight, 0, 1)
    if min(colour.shape[:2]) <= 2:
        total = weight.sum()
        mean = (colour * weight[:, :, None]).sum((0, 1)) / total if total > 0 else colour.mean((0, 1))
        return np.broadcast_to(mean.astype(np.float32), colour.shape).copy()
    half = ((colour.shape[1] + 1) // 2, (colour.shape[0] + 1) // 2)
    mass = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    summed = cv2.resize(colour * weight[:, :, None], half, interpolation=cv2.INTER_AREA)
    coarse = push_pull((summed / np.maximum(mass, 1e-6)[:, :, None]).astype(np.float32), np.minimum(4 * mass, 1))
    wide = cv2.resize(coarse, (colour.shape[1], colour.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(colour * weight[:, :, None] + wide * (1 - weight[:, :, None]), np.float32)


def _mirror(atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of every texel's mirror image on the skin; elsewhere of the texel itself."""
    rows, columns = np.nonzero(atlas.part == SKIN)
    position = atlas.position[rows, columns]
    _, index = cKDTree(position).query(position * np.array([-1, 1, 1]))
    row, column = np.mgrid[0 : atlas.size, 0 : atlas.size]
    row[rows, columns], column[rows, columns] = rows[index], columns[index]
    return row, column


def make_portrait(name: str, stage: Stage, painter: SkinPainter) -> Portrait:
    """Fit the head to a portrait and take its texture.

    Args:
        name: one of :data:`PORTRAITS`.
        stage, painter: of the human head.

    Raises:
        KeyError: unknown name.
        ValueError: the point table lacks the portrait.
        RuntimeError: the fit failed.
    """
    atlas, picture, points = stage.atlas, portrait_picture(name), portrait_points(name)
    fit = fit_portrait(stage, points, picture.shape[1], picture.shape[0])
    colour, weight = _photographed(stage, painter, fit, picture, points)
    y = atlas.position[:, :, 1]
    cheeks = (weight > 0.7) & (y < -10) & (y > -45) & (np.abs(atlas.position[:, :, 0]) > 22)
    skin = np.median(colour[cheeks], axis=0)
    hair_texels = (weight > 0.6) & (y > 62) & (np.abs(atlas.theta) < 45)
    hair = np.median(colour[hair_texels], axis=0) if name == "astronaut" else np.array([0.42, 0.40, 0.38])
    traits = dataclasses.replace(_looks(name), skin=rgb(skin), hair_colour=rgb(np.clip(hair, 0.02, 0.95)))
    filled = _filled(atlas, colour, weight, skin)
    painted, _ = painter.paint(traits)
    rng = np.random.default_rng(traits.seed)
    opacity = scalp_opacity(atlas, traits, rng)
    unseen = opacity * (1 - smoothstep(weight, 0.15, 0.6))
    crown = hair_colour(atlas, traits, rng)
    labels = np.where(opacity > 0.5, HAIR, atlas.labels)
    if name == "grace_hopper":
        cap = smoothstep(y, 40, 46) * (atlas.part == SKIN)
        cloth = np.array([0.045, 0.045, 0.06]) * (1 + 0.2 * rng.standard_normal((atlas.size, atlas.size, 1)))
        crown = np.where((cap > 0.5)[:, :, None], cloth, crown)
        labels = np.where(cap > 0.5, HAT, labels)
        unseen = np.maximum(unseen, cap * (1 - smoothstep(weight, 0.15, 0.6)))
    result = filled + unseen[:, :, None] * (crown - filled)
    # The edge of the upper lid is folded away in the photograph.
    lashes = np.clip(painter.upper_lash * 1.2, 0, 1)[:, :, None] * traits.lashes
    result = result * (1 - 0.75 * lashes)
    # Eyes and mouth are painted: the gaze must move, and the photographed teeth lie on the wrong surface.
    result = np.where((atlas.part == SKIN)[:, :, None], result, painted)
    pixels, classes = finish(atlas, result.astype(np.float32), labels)
    smooth = cv2.GaussianBlur(opacity, (0, 0), atlas.size / 80) * opacity
    texture = Texture(name, pixels, classes, vertex_values(atlas, smooth, stage.head.faces), traits, photographed=True)
    return Portrait(texture, fit.shape, _kept_expression(stage, fit), fit)


def _photographed(
    stage: Stage, painter: SkinPainter, fit: PortraitFit, picture: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take colours from the photograph, without its light; where one side is poorly visible, from the other side.

    Returns:
        Colour (H, W, 3) of the atlas, and how well each texel is seen (H, W), 0 .. 1.
    """
    place, weight, normal = _project_texels(stage, fit, points)
    weight = weight * (1 - smoothstep(painter.under_neck, 0.05, 0.5)).astype(np.float32)
    photo = sample(picture.astype(np.float32) / 255, place, cv2.INTER_CUBIC)
    teeth = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(teeth, [np.round(points[60:] * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    inside_mouth = sample(cv2.dilate(teeth, np.ones((3, 3))), place, cv2.INTER_NEAREST) > 0
    weight = weight * ~inside_mouth
    colour = _flatten_light(np.clip(photo, 0, 1), normal, weight, stage.atlas)
    row, column = _mirror(stage.atlas)
    other = weight[row, column] * 0.999
    better = np.clip((other - weight) * 4, 0, 1) * (weight < 0.6)
    colour = colour + better[:, :, None] * (colour[row, column] - colour)
    return colour, np.maximum(weight, better * other)


def _filled(atlas: Atlas, colour: np.ndarray, weight: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Fill hidden texels from their surroundings, and a hidden neck with darker skin."""
    y = atlas.position[:, :, 1]
    neck = 1 - smoothstep(y, atlas.landmarks[8, 1] - 10, atlas.landmarks[8, 1] + 4)
    hidden_neck = (neck > 0.5) & (weight < 0.3)
    known = np.where(hidden_neck, 0.6, weight)
    base = np.where(hidden_neck[:, :, None], skin * 0.85, colour)
    on_skin = np.where((atlas.part == SKIN)[:, :, None], base, 0).astype(np.float32)
    return push_pull(on_skin, known * (atlas.part != EMPTY))


def _kept_expression(stage: Stage, fit: PortraitFit) -> np.ndarray:
    """Return the expression that stays in the texture: 15 % of the mouth units, half of the brows."""
    names = stage.head.notes["expression_names"]
    kept = np.zeros_like(fit.expression)
    for index, name in enumerate(names):
        share = 0.5 if name.startswith("brow") else 0.2 if name.startswith(("noseSneer", "cheek")) else 0.15
        kept[index] = share * fit.expression[index]
    return kept


def _key(head: HeadData, size: int) -> str:
    digest = hashlib.sha256(f"{FORMAT}-{size}".encode())
    for array in (head.v_template, head.faces, head.uv, head.shape_basis, head.expression_basis):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(POINTS_FILE.read_bytes())
    for name in MAKERS:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()


def load_portraits(head: HeadData, cache: str | Path, size: int = 512) -> list[Portrait]:
    """Return both portraits, from ``cache`` where it holds them for this head, else computed and stored there.

    Args:
        head: the human head.
        cache: folder for ``portrait_<name>.npz``, created if missing.
        size: side of the texture in texels.
    """
    cache, key = Path(cache), _key(head, size)
    portraits: list[Portrait] = []
    stage: Stage | None = None
    for name in PORTRAITS:
        path = cache / f"portrait_{name}.npz"
        stored = _read(path, key, name) if path.is_file() else None
        if stored is None:
            stage = stage or Stage(head, build_atlas(head, size))
            stored = make_portrait(name, stage, SkinPainter(stage.atlas))
            cache.mkdir(parents=True, exist_ok=True)
            _write(path, key, stored)
        portraits.append(stored)
    return portraits


def _write(path: Path, key: str, portrait: Portrait) -> None:
    fit, texture = portrait.fit, portrait.texture
    notes = {
        "key": key,
        "name": texture.name,
        "traits": dataclasses.asdict(texture.traits),
        "camera": dataclasses.asdict(fit.camera),
        "error": fit.error,
    }
    with atomic(path) as temporary, temporary.open("wb") as file:
        of_texture = {name: getattr(texture, name) for name in ("colour", "labels", "scalp")}
        of_fit = {name: getattr(fit, name) for name in ("shape", "expression", "joints", "translation")}
        text = np.frombuffer(json.dumps(notes).encode(), np.uint8)
        np.savez(file, **of_texture, **of_fit, neutral=portrait.neutral, notes=text)


def _read(path: Path, key: str, name: str) -> Portrait | None:
    """Read a cached portrait; return None if it belongs to another head or other code."""
    with np.load(path, allow_pickle=False) as archive:
        notes = json.loads(archive["notes"].tobytes().decode())
        if notes["key"] != key or notes["name"] != name:
            return None
        arrays = {field: archive[field] for field in archive.files if field != "notes"}
    traits: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in notes["traits"].items()}
    traits["nature"] = Nature(**traits["nature"])
    camera = Camera(**{**notes["camera"], "centre": tuple(notes["camera"]["centre"])})
    texture = Texture(name, arrays["colour"], arrays["labels"], arrays["scalp"], Traits(**traits), photographed=True)
    fit = PortraitFit(
        arrays["shape"], arrays["expression"], arrays["joints"], arrays["translation"], camera, notes["error"]
    )
    return Portrait(texture, arrays["shape"], arrays["neutral"], fit)
