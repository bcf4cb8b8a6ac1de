"""Procedural skin: colours of the bald face, brows, lips, beard and eyes in the head's texture."""

from __future__ import annotations

import cv2
import numpy as np

from tvface.synthetic.atlas import LEFT_EYE, MOUTH, RIGHT_EYE, SKIN, Atlas
from tvface.synthetic.brows import Binding, lean, roots
from tvface.synthetic.frontal import Frontal, smooth_path
from tvface.synthetic.lids import paint_lids
from tvface.synthetic.noise import Noise
from tvface.synthetic.traits import Traits

LEFT_BROW, RIGHT_BROW, NECK, CLOTH, HAIR = 2, 3, 14, 16, 17  # zllrunning classes
EARS = (7, 8)


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return a cubic step from 0 at ``low`` to 1 at ``high`` (``low`` may be above ``high``)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


class SkinPainter:
    """Painter of skins on one head; everything that does not depend on the person is computed once."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self.frontal = Frontal(atlas)
        self.bind = Binding(atlas)
        x, y = np.abs(atlas.position[:, :, 0]), atlas.position[:, :, 1]
        self.skin = atlas.part == SKIN
        facing = np.clip((85 - np.abs(atlas.theta)) / 20, 0, 1).astype(np.float32) * self.skin
        points = atlas.landmarks
        half = {i: np.array([abs(points[i, 0]), points[i, 1]]) for i in range(68)}

        def blob(cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
            return (np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2) * facing).astype(np.float32)

        eye = points[42:48].mean(0)
        tip, foot, mouth = points[30, 1], points[33, 1], points[[51, 57], 1].mean()
        chin = points[8, 1]
        self.cheek = blob(40, tip + 2, 18, 16)
        self.nose_tip = blob(0, tip - 3, 11, 9)
        self.ears = np.isin(atlas.labels, EARS).astype(np.float32) * self.skin
        self.socket = blob(eye[0], eye[1] + 3, 16, 9) * (1 - blob(eye[0], eye[1] - 14, 14, 7))
        self.nostril = blob(7, foot + 1.5, 3.4, 1.7)
        self.wing = blob(half[35][0] + 4.5, half[35][1] + 3, 2.6, 4.5)
        self.forehead = blob(0, 45, 40, 18)
        self.lid = blob(eye[0], eye[1] + 8, 14, 5)
        lower = smoothstep(y, foot + 6, foot - 10) * smoothstep(y, chin - 26, chin - 8)
        jaw = smoothstep(y, eye[1] - 38, eye[1] - 62) * smoothstep(np.abs(atlas.theta), 92, 78)
        front = np.maximum(lower * smoothstep(x, 46, 34), jaw * smoothstep(y, chin - 26, chin - 10))
        self.moustache_area = (
            smoothstep(y, foot + 1, foot - 3) * smoothstep(y, mouth - 1, mouth + 3) * smoothstep(x, 30, 22) * facing
        ).astype(np.float32)
        self.under_neck = cv2.GaussianBlur((atlas.labels == NECK).astype(np.float32), (0, 0), atlas.size / 90)
        under_chin = smoothstep(y, chin + 4, chin - 10) * self.under_neck
        self.beard_area = (front * self.skin * (1 - np.clip(1.4 * under_chin, 0, 1))).astype(np.float32)
        self._fixed_strokes(half, points)

    def _fixed_strokes(self, half: dict[int, np.ndarray], points: np.ndarray) -> None:
        frontal, mirror = self.frontal, np.array([-1.0, 1.0])
        folds, bags, mouth, crows = frontal.empty(), frontal.empty(), frontal.empty(), frontal.empty()
        for side in (np.ones(2), mirror):
            wing, corner = half[35], half[54]
            fold = np.stack([wing, wing, corner, corner]) + np.array([(3, 4), (10, -4), (6, 6), (7, -4)])
            frontal.stroke(folds, smooth_path(fold) * side, 1.2)
            bag = points[[42, 47, 46, 45], :2] + np.array([(1, -4), (0, -6), (0, -6), (-1, -5)])
            frontal.stroke(bags, smooth_path(bag) * side, 1.5)
            outer = half[45]
            for dy in (4.0, 0.5, -3.0):
                line = outer + np.array([(6, dy * 0.5), (11, dy), (17, dy * 2)])
                frontal.stroke(crows, smooth_path(line) * side, 0.6)
        line = np.concatenate([points[[48]], points[[60, 61, 62, 63, 64]], points[[54]]])[:, :2]
        frontal.stroke(mouth, smooth_path(line), 1.1)
        brow_lines = frontal.empty()
        for y in (34.0, 42.0, 50.0):
            xs = np.linspace(-34, 34, 30)
            frontal.stroke(brow_lines, np.stack([xs, y + 2.5 * np.cos(xs / 16)], 1), 0.7)
        lips = frontal.empty()
        frontal.area(lips, smooth_path(points[48:60, :2], 80, closed=True))
        self.folds = frontal.to_texture(frontal.soften(folds, 1.6))
        self.bags = frontal.to_texture(frontal.soften(bags, 1.8))
        self.crows = frontal.to_texture(frontal.soften(crows, 0.5))
        self.forehead_lines = frontal.to_texture(frontal.soften(brow_lines, 0.6))
        self.mouth_line = frontal.to_texture(frontal.soften(mouth, 0.45))
        self.lips = frontal.to_texture(frontal.soften(lips, 0.6))
        above, below = frontal.empty(), frontal.empty()
        for lids, canvas in (
            ((36, 37, 38, 39), above),
            ((42, 43, 44, 45), above),
            ((39, 40, 41, 36), below),
            ((45, 46, 47, 42), below),
        ):
            frontal.stroke(canvas, smooth_path(points[list(lids), :2]), 1.0)
        self.upper_lash = frontal.to_texture(frontal.soften(above, 0.35))
        self.lower_lash = frontal.to_texture(frontal.soften(below, 0.3))

    def brows(self, traits: Traits, rng: np.random.Generator) -> np.ndarray:
        """Draw both brows hair by hair: (size, size) float32 opacity."""
        frontal, points = self.frontal, self.atlas.landmarks
        canvas = frontal.empty()
        line = np.array(traits.brows) if traits.brows else points[17:27, :2]
        for order in (range(5, 10), range(4, -1, -1)):
            path = smooth_path(line[list(order)], 60)
            if traits.brows:
                path = roots(path, traits.brow_width)
            count = int(90 + 170 * traits.brow_density)
            at = rng.uniform(0, 1, count)
            index = np.minimum((at * 59).astype(int), 58)
            tangent = path[index + 1] - path[index]
            tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
            normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
            normal *= np.sign(normal[:, 1:2] + 1e-9)
            taper = traits.brow_width * (0.55 + 0.6 * np.sin(np.pi * np.clip(at * 0.8 + 0.15, 0, 1))) * (1 - 0.45 * at)
            root = path[index] + normal * (rng.uniform(-0.5, 0.5, count) * taper)[:, None]
            tip = (
                root
                + (tangent + normal * lean(at)[:, None])
                * rng.uniform(2.5, 5.0, count)[:, None]
                * (traits.brow_width / 3.2) ** 0.5
            )
            for a, b in zip(root, tip, strict=True):
                frontal.stroke(canvas, np.stack([a, b]), 0.3, 1.0)
        soft = np.clip(0.75 * frontal.soften(canvas, 0.5) + 0.7 * frontal.soften(canvas, 1.2), 0, 1)
        return np.clip(frontal.to_texture(soft) * (0.55 + 0.6 * traits.brow_density), 0, 1)

    def paint(self, traits: Traits) -> tuple[np.ndarray, np.ndarray]:
        """Paint a bald person.

        Returns:
            Colour (size, size, 3) float32 RGB and labels (size, size) uint8 (zllrunning).
        """
        size = self.atlas.size
        rng = np.random.default_rng([traits.seed, 0x5C1])
        base = np.array(traits.skin, np.float32)
        shade = 1 + traits.mottling * (
            0.7 * Noise(size // 5, 2, 0.8).draw(size, size, rng) + Noise(20, 2).draw(size, size, rng)
        )
        shade += 0.018 * rng.standard_normal((size, size), dtype=np.float32)
        dark = 0.3 * self.socket * (0.25 + 0.2 * traits.age) + 0.15 * self.folds * (0.6 + 2.2 * traits.age)
        dark += self.bags * (0.06 + 0.22 * traits.age) + 0.16 * self.wing + 0.78 * self.nostril
        dark += (self.forehead_lines * 0.34 + self.crows * 0.4) * traits.age**1.5
        shade *= np.clip(1 - dark, 0.12, 1)
        colour = base * shade[:, :, None]
        blotch = 1 + 0.35 * Noise(14, 2).draw(size, size, rng)
        red = np.clip(traits.redness * (0.13 * self.cheek + 0.14 * self.nose_tip + 0.10 * self.ears) * blotch, 0, 0.35)
        colour *= 1 - red[:, :, None] * np.array([0.1, 1, 1], np.float32)
        self._spots(colour, traits, rng)
        if traits.eye_shadow:
            self._mix(colour, traits.shadow_colour, self.lid * traits.eye_shadow)
        self._beard(colour, traits, rng)
        lips = self.lips * traits.lip_mix
        grain = 1 + 0.05 * Noise(size // 3, 1).draw(size, size, rng)
        self._mix(colour, np.array(traits.lip_colour)[None, None] * grain[:, :, None], lips)
        colour *= (1 - 0.6 * np.clip(self.mouth_line * 1.6, 0, 1))[:, :, None]
        colour *= (1 - 0.15 * self.under_neck * smoothstep(self.atlas.position[:, :, 1], -150, -105))[:, :, None]
        brow = self.brows(traits, rng)
        self._mix(colour, traits.brow_colour, brow)
        self._mix(colour, np.array([0.06, 0.04, 0.04]), np.clip(self.upper_lash * 1.5, 0, 1) * traits.lashes)
        self._mix(colour, np.array([0.10, 0.06, 0.06]), np.clip(self.lower_lash * 1.2, 0, 1) * traits.lashes * 0.6)
        if traits.crease or traits.liner or traits.liner_below or traits.lash_length or traits.smoke:
            paint_lids(self.frontal, self.atlas.landmarks, colour, traits)
        self.eyes(colour, traits, rng)
        inside = self.atlas.part == MOUTH
        colour[inside] = self.atlas.albedo[inside]
        return colour.astype(np.float32), self._brow_labels(brow)

    def _brow_labels(self, brow: np.ndarray) -> np.ndarray:
        labels = self.atlas.labels.copy()
        labels[np.isin(labels, (LEFT_BROW, RIGHT_BROW)) & self.skin] = 1
        # The head's label map determines which class is on which side.
        x = self.atlas.position[:, :, 0]
        left_brow = self.atlas.labels == LEFT_BROW
        left_sign = np.sign(np.median(x[left_brow])) if left_brow.any() else 1.0
        shown = brow > 0.25
        labels[shown & (x * left_sign > 0)] = LEFT_BROW
        labels[shown & (x * left_sign <= 0)] = RIGHT_BROW
        return labels

    @staticmethod
    def _mix(colour: np.ndarray, paint: np.ndarray | tuple[float, float, float], opacity: np.ndarray) -> None:
        weight = opacity[:, :, None].astype(np.float32)
        colour *= 1 - weight
        colour += weight * np.asarray(paint, np.float32)

    def _spots(self, colour: np.ndarray, traits: Traits, rng: np.random.Generator) -> None:
        amount = int(260 * traits.freckles + 50 * max(0.0, traits.age - 0.35) + 4)
        frontal = self.frontal
        canvas = frontal.empty()
        x, y = rng.normal(0, 32, amount), rng.normal(-18, 24, amount)
        radius = rng.uniform(0.3, 0.8, amount) * (1 + 1.2 * max(0.0, traits.age - 0.35))
        for cx, cy, r in zip(x, y, radius, strict=True):
            angle = np.linspace(0, 2 * np.pi, 8)
            frontal.area(
                canvas, np.stack([cx + r * np.cos(angle), cy + r * np.sin(angle)], 1), float(rng.uniform(0.3, 1))
            )
        spots = frontal.to_texture(frontal.soften(canvas, 0.3)) * (1 - self.lips)
        colour *= 1 - 0.38 * spots[:, :, None] * np.array([0.75, 1.0, 1.1], np.float32)

    def _beard(self, colour: np.ndarray, traits: Traits, rng: np.random.Generator) -> None:
        size = self.atlas.size
        area = np.maximum(self.beard_area, 0.9 * self.moustache_area) * (1 - self.lips)
        hair = np.array(traits.brow_colour) * 0.6 + np.array(traits.hair_colour) * 0.4
        if traits.stubble:
            dots = 0.5 + 0.6 * rng.standard_normal((size, size), dtype=np.float32)
            opacity = np.clip(area * traits.stubble * (0.22 + 0.28 * dots), 0, 0.8)
            self._mix(colour, np.array([0.26, 0.25, 0.26]) * (1 - 0.6 * traits.darkness), opacity)
        if traits.beard or traits.moustache:
            white = rng.standard_normal((size, size), dtype=np.float32)
            strands = np.asarray(cv2.GaussianBlur(white, (0, 0), sigmaX=0.7, sigmaY=3), np.float32)
            strands /= strands.std()
            full = np.maximum(self.beard_area * traits.beard, self.moustache_area * traits.moustache) * (1 - self.lips)
            edge = np.clip(full * 1.5 + 0.12 * strands * (full > 0.02), 0, 1)
            self._mix(colour, hair[None, None] * (1 + 0.35 * strands[:, :, None]), np.clip(edge * 0.93, 0, 0.95))

    def eyes(self, colour: np.ndarray, traits: Traits, rng: np.random.Generator) -> None:
        """Paint both eyeballs in place: white, iris with streaks and rim, pupil, shade of the lid, highlight."""
        for part, centre in ((RIGHT_EYE, self.atlas.eye_centres[0]), (LEFT_EYE, self.atlas.eye_centres[1])):
            inside = self.atlas.part == part
            offset = (self.atlas.position[inside] - centre) / self.atlas.eye_radius
            radius = np.hypot(offset[:, 0], offset[:, 1]) + 2 * (offset[:, 2] < 0)
            angle = np.arctan2(offset[:, 1], offset[:, 0])
            white = np.array([0.84, 0.81, 0.78]) * (1 - 0.22 * np.clip(radius - 0.45, 0, 0.6))[:, None]
            white *= 1 - np.array([0.0, 0.13, 0.13]) * smoothstep(radius, 0.6, 1.0)[:, None]
            iris_radius = 0.41 if self.atlas.eye_radius > 13.5 else 0.48
            phases = rng.uniform(0, 2 * np.pi, 4)
            streaks = sum(np.sin(k * angle + p) for k, p in zip((13, 23, 37, 59), phases, strict=True)) / 4
            inner = radius / iris_radius
            iris = np.array(traits.iris) * (0.75 + 0.35 * streaks + 0.45 * (1 - inner))[:, None]
            iris *= (1 - 0.6 * smoothstep(inner, 0.78, 1.0))[:, None]
            ball = white + smoothstep(inner, 1.06, 0.97)[:, None] * (np.clip(iris, 0.01, 1) - white)
            ball *= (1 - 0.95 * smoothstep(inner, 0.46, 0.38))[:, None]
            ball *= (1 - 0.45 * smoothstep(offset[:, 1], 0.10, 0.34))[:, None]
            glint = np.exp(-(((offset[:, 0] - 0.13) / 0.055) ** 2) - ((offset[:, 1] - 0.14) / 0.055) ** 2)
            ball += (0.85 * glint * (offset[:, 2] > 0))[:, None]
            colour[inside] = np.clip(ball, 0.01, 1)
