"""Make ``resources/weights/light_prior.npz``, by which photometry tells a bright skin from a bright light.

    python -m tvface.bundled.light_prior OUT [--people 460] [--lights 2] [--seed 11]

People, poses, lights and cameras are drawn as for the training crops (:mod:`tvface.synthetic.crops.maker`), by a
generator of its own: no light of the embedded show is among them. The shapes of light are the environments' true
projections on spherical harmonics, :data:`ENVIRONMENTS` of them. The levels are measured: every crop is rendered,
before and after degradation, goes through the first pass of :class:`tvface.fitting.photometry.Photometry` with its true
geometry, and what it sees is compared with the painted skin. So what the fit gets wrong on average is in the table.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from tvface.conventions.classes import BARE_SKIN
from tvface.fitting.light_prior import LightPrior, level
from tvface.fitting.photometry import Photometry
from tvface.fitting.skin_pixels import View
from tvface.head import human
from tvface.settings.model import Head
from tvface.synthetic.camera.degrade import degrade
from tvface.synthetic.crops.maker import CropMaker
from tvface.synthetic.looks.tone import painted_skin
from tvface.synthetic.person import Person
from tvface.synthetic.places.environments import draw_environment, expose_environment
from tvface.synthetic.render.scene import render_scene

ENVIRONMENTS = 6000
FURTHEST = 65.0  # degrees of yaw; beyond it little skin shows
SIZE = 128  # px of the crops
EXPOSURE = -0.35  # as expose_environment has it
SHARES = (0.47, 0.47, 0.06)  # of clean, degraded and dark pictures
DARKER, DARK_SPREAD = -1.0, 1.5  # of the log level of dark pictures: wide, so that they tell a vague hue alone
TAIL = 5.0  # degrees of freedom, as LightPrior's
_ROUNDS = 30


def shapes(rng: np.random.Generator, count: int = ENVIRONMENTS) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (27,) and covariance (27, 27) of lights over their level."""
    lights = np.stack([draw_environment(rng).projected() for _ in range(count)]).astype(np.float64)
    flat = (lights / level(lights)[:, None]).reshape(count, 27)
    return flat.mean(0), np.cov(flat.T)


def views(maker: CropMaker, person: Person, rng: np.random.Generator) -> list[View]:
    """Draw a crop of a person: the rendered picture and the degraded one; none if the head is turned too far."""
    mien = maker.mien(rng)
    joints = maker.joints(mien, rng)
    distance = np.exp(rng.uniform(np.log(0.55), np.log(4.0)))
    posed = person.place(mien.code, joints, np.array([*(rng.normal(0, 0.12, 2) * distance), -distance]))
    environment = expose_environment(draw_environment(rng), np.array(person.texture.traits.skin), rng)
    light, lamps = environment.render(posed.landmarks.mean(0))
    camera = maker.camera(posed, rng)
    if abs(posed.angles[0]) > FURTHEST:
        return []
    frame = render_scene([posed], camera, light, np.full((SIZE, SIZE, 3), 90, np.uint8), lamps=lamps)
    pixels = camera.project(posed.vertices)
    scale = camera.focal * 2 / SIZE / distance
    depth = -(posed.vertices[:, 2:] + distance) * scale
    projected = np.concatenate([(pixels[:, :2] + 0.5) / SIZE * 2 - 1, depth], 1).astype(np.float32)
    return [View(posed.vertices, projected, image, frame.labels) for image in (frame.image, degrade(frame.image, rng))]


def centre_and_scatter(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a t distribution to rows (N, 3): its centre (3,) and scatter (3, 3)."""
    centre, scatter = np.median(rows, 0), np.cov(rows.T)
    for _ in range(_ROUNDS):
        off = rows - centre
        weight = (TAIL + 3) / (TAIL + np.einsum("ni,ij,nj->n", off, np.linalg.inv(scatter), off))
        centre = (rows * weight[:, None]).sum(0) / weight.sum()
        scatter = ((rows - centre) * weight[:, None]).T @ (rows - centre) / len(rows)
    return centre, scatter


def make(people: int, lights: int, seed: int) -> LightPrior:
    """Draw people and lights and return the table; equal arguments give equal tables."""
    rng = np.random.default_rng([seed, 0x116])
    head = human.build(Head())
    maker = CropMaker(head, SIZE)
    mean, covariance = shapes(rng)
    labels = cv2.resize(head.labels, head.albedo_mean.shape[:2], interpolation=cv2.INTER_NEAREST)
    tone = head.albedo_mean[labels == BARE_SKIN[0]].mean(0)
    nothing = np.zeros((1, 3)), np.eye(3)[None], np.zeros((2, 3)), np.eye(3)
    start = LightPrior(mean, covariance, tone[None], np.array(EXPOSURE), np.ones(1), *nothing)
    photometry = Photometry(head, len(head.albedo_basis), start)
    skins, rows = [], []
    for _ in range(people):
        person = maker.person(rng)
        skins.append(painted_skin(head, person.texture.colour, person.texture.labels))
        for _ in range(lights):
            pair = [photometry.apparent([view]) for view in views(maker, person, rng)]
            if pair and all(len(seen) for seen, _ in pair):
                rows.append([skins[-1], *(seen[0] for seen, _ in pair), *(white for _, white in pair)])
    skin, clean, degraded, white, degraded_white = (np.stack(column) for column in zip(*rows, strict=True))
    return table(mean, covariance, np.stack(skins), skin, (clean, degraded), (white, degraded_white))


def table(
    mean: np.ndarray,
    covariance: np.ndarray,
    skins: np.ndarray,
    skin: np.ndarray,
    seen: tuple[np.ndarray, np.ndarray],
    whites: tuple[np.ndarray, np.ndarray],
) -> LightPrior:
    """Sum the measurements up.

    Args:
        mean, covariance, skins: see :class:`LightPrior`.
        skin: (R, 3) true skin of each crop.
        seen, whites: (R, 3) each, logs as of :meth:`Photometry.apparent`, of the clean and the degraded crops.
    """
    dark = np.log(skin.mean(1))[:, None]
    (centre, scatter), (grade, graded) = (centre_and_scatter(each - np.log(skin) - EXPOSURE * dark) for each in seen)
    scatters = np.stack([scatter, graded, graded + DARK_SPREAD**2])
    centres = np.stack([centre, grade, grade + DARKER])
    dark, white = np.tile(dark, (2, 1)), np.concatenate(whites) + np.tile(np.log(skin), (2, 1))
    shown = np.isfinite(white).all(1)
    design = np.concatenate([np.ones_like(dark), dark], 1)[shown]
    line = np.linalg.lstsq(design, white[shown], rcond=None)[0]
    off, about = centre_and_scatter(white[shown] - design @ line)
    line[0] += off
    return LightPrior(mean, covariance, skins, np.array(EXPOSURE), np.array(SHARES), centres, scatters, line, about)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--people", type=int, default=460)
    parser.add_argument("--lights", type=int, default=2, help="pictures of each")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    make(options.people, options.lights, options.seed).save(options.out)


if __name__ == "__main__":
    main()
