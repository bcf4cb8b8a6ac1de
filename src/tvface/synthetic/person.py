"""One synthetic person: identity, looks and clothes, posed in camera coordinates (numpy, no gradients)."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
from scipy import sparse

from tvface.head.data import HeadData
from tvface.synthetic.atlas import LEFT_EYE, MOUTH, RIGHT_EYE, Atlas, landmark_positions, pyramid
from tvface.synthetic.body import hats
from tvface.synthetic.body.parts import Part
from tvface.synthetic.body.trunk import Foot, lowest_ring
from tvface.synthetic.hair.growth import Growth, Scalp
from tvface.synthetic.hair.texture import Texture, vertex_values
from tvface.synthetic.looks.frontal import Frontal
from tvface.synthetic.looks.relief import ReliefPainter
from tvface.synthetic.looks.sheen import sheen_map
from tvface.synthetic.looks.skin import EARS
from tvface.synthetic.meshes import build_parts
from tvface.synthetic.people.face_units import READ, strengths
from tvface.synthetic.people.haircuts import CUTS
from tvface.synthetic.render import kernels
from tvface.synthetic.render.occlusion import Occlusion, Shadow
from tvface.synthetic.render.surfaces import Posed, Relief, Surface

# Least share of a light that reaches an open mouth's inside, the eyeballs, and the skin about the lids.
MOUTH_LIGHT, EYE_LIGHT, LID_LIGHT = 0.6, 0.85, 0.75
PHOTOGRAPHED_GLOSS = 0.3
MAX_YAW = 39  # degrees, last row of the contour table


def rotation_matrix(axis_angle: np.ndarray) -> np.ndarray:
    """Rodrigues' formula: (..., 3) radians to (..., 3, 3) float64."""
    vector = np.asarray(axis_angle, np.float64)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    # sin(a)/a and (1 - cos(a))/a^2 without a division by zero at rest
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.asarray(np.eye(3) + first * cross + second * (cross @ cross))


def contour_row(rotation: np.ndarray) -> int:
    """Return the row of the contour table for a head rotation (3, 3) = root @ neck, as ``HeadModel`` does."""
    yaw = np.degrees(np.arctan2(-rotation[2, 0], np.hypot(rotation[0, 0], rotation[1, 0])))
    rounded = int(np.round(np.clip(yaw, -MAX_YAW, MAX_YAW)))
    return rounded if rounded >= 0 else MAX_YAW - rounded


class _Normals:
    """Vertex normals of a mesh with constant triangles."""

    def __init__(self, faces: np.ndarray) -> None:
        self.faces = np.ascontiguousarray(faces, np.int32)

    def __call__(self, vertices: np.ndarray) -> np.ndarray:
        result = np.zeros(vertices.shape, np.float32)
        kernels.vertex_normals(np.ascontiguousarray(vertices, np.float32), self.faces, result)
        return result


class Stage:
    """The data that all persons of one head model share: atlas, flattened bases, normals."""

    def __init__(self, head: HeadData, atlas: Atlas) -> None:
        self.head = head
        self.atlas = atlas
        count = len(head.v_template)
        self.template = head.v_template.astype(np.float32)
        self.expression = np.ascontiguousarray(head.expression_basis.reshape(3 * count, -1), np.float32)
        self.shape = np.ascontiguousarray(head.shape_basis.reshape(3 * count, -1), np.float32)
        self.pose_basis = head.pose_basis.astype(np.float32) if np.abs(head.pose_basis).max() > 0 else None
        self.regressor = sparse.csr_matrix(head.joint_regressor)
        self.normals = _Normals(head.faces)

    @cached_property
    def occlusion(self) -> Occlusion:
        """Self-occlusion of the mean head; other identities differ too little to justify the cost."""
        atlas = self.atlas
        away = np.min([np.linalg.norm(atlas.vertices - centre, axis=1) for centre in atlas.eye_centres], axis=0)
        reach = atlas.eye_radius
        least = LID_LIGHT * np.clip((1.9 * reach - away) / (0.7 * reach), 0, 1)
        least[atlas.vertex_part == MOUTH] = MOUTH_LIGHT
        least[np.isin(atlas.vertex_part, (RIGHT_EYE, LEFT_EYE))] = EYE_LIGHT
        return Occlusion.of(self.template, self.normals(self.template), self.head.faces, least)

    @cached_property
    def seam(self) -> np.ndarray:
        """The lowest ring of the head's vertices, (K,), ordered by azimuth; the body begins there."""
        return lowest_ring(self.head.faces, self.atlas.vertices)

    @cached_property
    def ears(self) -> np.ndarray:
        """Which vertices belong to the ears: (V,) bool."""
        marked = vertex_values(self.atlas, np.isin(self.atlas.labels, EARS), self.head.faces)
        return np.asarray(marked > 0)

    @cached_property
    def seam_texels(self) -> np.ndarray:
        """Texels (K, 2) int64 of the seam, x and y."""
        texel = np.zeros((len(self.template), 2), np.float32)
        texel[self.head.faces] = self.atlas.corners
        return np.clip(np.round(texel[self.seam]), 0, self.atlas.size - 1).astype(int)

    @cached_property
    def scalp(self) -> Scalp:
        """Where hair grows."""
        return Scalp.of(self.atlas, self.head.faces)

    @cached_property
    def relief(self) -> ReliefPainter:
        """The folds of the skin, bound to the named expressions."""
        return ReliefPainter(self.atlas, Frontal(self.atlas), READ)

    @cached_property
    def sheen(self) -> tuple[np.ndarray, ...]:
        """Where skin, lips and eyes shine."""
        return sheen_map(self.atlas, Frontal(self.atlas))

    def identity(self, shape: np.ndarray) -> np.ndarray:
        """Return the neutral head of a shape code (any length up to the basis): (V, 3) float32 metres."""
        code = np.asarray(shape, np.float32)
        return self.template + (self.shape[:, : len(code)] @ code).reshape(-1, 3)

    def deform(
        self, neutral: np.ndarray, expression: np.ndarray, rotations: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Apply expression, pose blend shapes and linear blend skinning.

        Args:
            neutral: (V, 3) metres; expression: (E,) or shorter; rotations: (5, 3, 3).

        Returns:
            Vertices (V, 3) float32 and the joints' rigid transforms (5, 4, 4) float64 from neutral to posed space.
        """
        code = np.asarray(expression, np.float32)
        vertices = neutral + (self.expression[:, : len(code)] @ code).reshape(-1, 3)
        joints = self.regressor @ vertices.astype(np.float64)
        if self.pose_basis is not None:
            feature = (rotations[1:] - np.eye(3)).reshape(-1).astype(np.float32)
            vertices = vertices + (feature @ self.pose_basis).reshape(-1, 3)
        world = np.zeros((5, 4, 4))
        for joint, parent in enumerate(self.head.parents):
            local = np.eye(4)
            local[:3, :3] = rotations[joint]
            local[:3, 3] = joints[joint] - (joints[parent] if parent >= 0 else 0)
            world[joint] = world[parent] @ local if parent >= 0 else local
        rigid = world.copy()
        rigid[:, :3, 3] -= np.einsum("jab,jb->ja", world[:, :3, :3], joints)
        blended = self._blend(rigid)
        posed = np.einsum("vab,vb->va", blended[:, :, :3], vertices) + blended[:, :, 3]
        return np.ascontiguousarray(posed, np.float32), rigid

    def _blend(self, rigid: np.ndarray) -> np.ndarray:
        """Mix the joints' transforms by the skinning weights: (V, 3, 4) float32."""
        flat = rigid[:, :3].reshape(5, 12).astype(np.float32)
        return np.asarray((self.head.skinning @ flat).reshape(-1, 3, 4), np.float32)

    def turn(self, rigid: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Turn offsets (V, 3) of the neutral vertices with the skin: (V, 3) float32."""
        return np.asarray(np.einsum("vab,vb->va", self._blend(rigid)[:, :, :3], offsets), np.float32)

    def landmarks(self, vertices: np.ndarray, rotations: np.ndarray) -> np.ndarray:
        """Return the 68 points of the 2D convention (68, 3) on posed vertices, as ``HeadModel.landmarks2d`` does."""
        head = self.head
        row = contour_row(rotations[0] @ rotations[1])
        faces = np.concatenate([head.contour_faces[row], head.static_faces])
        bary = np.concatenate([head.contour_bary[row], head.static_bary])
        return np.asarray(np.einsum("nij,ni->nj", vertices[head.faces[faces]], bary), np.float32)


class Person:
    """A person with a fixed identity and looks.

    Args:
        stage: of the head model.
        shape: identity code, (S,) or shorter.
        texture: looks.
    """

    def __init__(self, stage: Stage, shape: np.ndarray, texture: Texture) -> None:
        self.stage = stage
        self.shape = np.asarray(shape, np.float32)
        self.texture = texture
        self.neutral = stage.identity(self.shape)
        atlas, thickness = stage.atlas, CUTS[texture.traits.hair_style].shell
        if texture.traits.hat:
            thickness = max(thickness, hats.THICKNESS)
        outward = stage.normals(self.neutral)
        self.hair = (outward * (texture.scalp * thickness * 1e-3)[:, None]).astype(np.float32)
        vertices = (self.neutral * 1000 - atlas.origin).astype(np.float32)
        if texture.traits.hat == "scarf":
            self.hair += hats.flattened_ears(vertices, stage.ears) * np.float32(1e-3)
        centres = np.stack(
            [0.5 * (vertices[atlas.vertex_part == p].max(0) + vertices[atlas.vertex_part == p].min(0)) for p in (2, 3)]
        )
        points = landmark_positions(stage.head, vertices).astype(np.float32)
        fitted = dataclasses.replace(atlas, vertices=vertices, landmarks=points, eye_centres=centres)
        growth = None if texture.photographed else Growth(stage.scalp, stage.head.faces, vertices, outward)
        seam = stage.seam
        texel = stage.seam_texels
        foot = Foot(seam, texture.colour[texel[:, 1], texel[:, 0]] / np.float32(255))
        self.parts: list[Part] = build_parts(fitted, texture.traits, growth, texture.labels, foot)
        self._part_vertices = [((part.vertices + atlas.origin) * 1e-3).astype(np.float32) for part in self.parts]
        self._part_normals = [_Normals(part.faces) for part in self.parts]
        self._levels = pyramid(texture.colour)
        # A photograph already contains most of the highlights.
        self._gloss = texture.traits.gloss * (PHOTOGRAPHED_GLOSS if texture.photographed else 1.0)
        self._part_levels = [pyramid(part.colour) for part in self.parts]
        self._foot = seam

    def pose(self, expression: np.ndarray, joints: np.ndarray, translation: np.ndarray) -> np.ndarray:
        """Return the bare head's vertices in camera coordinates, (V, 3) float32 metres.

        Args:
            expression: (50,) or shorter.
            joints: (15,) axis-angle of root, neck, jaw, left and right eye, radians.
            translation: (3,) head origin in camera coordinates, metres (x right, y up, z to the camera).
        """
        rotations = rotation_matrix(np.asarray(joints).reshape(5, 3))
        vertices, _ = self.stage.deform(self.neutral, expression, rotations)
        return np.asarray(vertices + np.asarray(translation, np.float32), np.float32)

    def place(self, expression: np.ndarray, joints: np.ndarray, translation: np.ndarray) -> Posed:
        """Pose head, hair, clothes and spectacles; arguments as :meth:`pose`."""
        rotations = rotation_matrix(np.asarray(joints).reshape(5, 3))
        shift = np.asarray(translation, np.float32)
        bare, rigid = self.stage.deform(self.neutral, expression, rotations)
        landmarks = self._landmarks(bare, rotations) + shift  # on the skin, under the hair
        vertices = bare + self.stage.turn(rigid, self.hair)
        head = self.stage.head
        surfaces = [
            Surface(
                vertices + shift,
                self.stage.normals(vertices),
                head.faces,
                self.stage.atlas.corners,
                self._levels,
                self.texture.labels,
                self._gloss,
                self._relief(expression),
                Shadow(self.stage.occlusion, rotations[0] @ rotations[1], self.texture.photographed),
                sheen=self.stage.sheen,
            )
        ]
        for part, neutral, normals, levels in zip(
            self.parts, self._part_vertices, self._part_normals, self._part_levels, strict=True
        ):
            moved = self._move(part, neutral, rigid, rotations[0], vertices)
            turned = normals(moved) if part.normals is None else part.normals @ rigid[1, :3, :3].T.astype(np.float32)
            mesh = moved + shift, turned, part.faces, part.corners
            surfaces.append(Surface(*mesh, levels, part.labels, part.gloss, alpha=part.alpha, reach=part.reach))
        return Posed(tuple(surfaces), landmarks.astype(np.float32), rotations[0] @ rotations[1], bare + shift)

    def _relief(self, expression: np.ndarray) -> Relief | None:
        """Return the folds of an expression; a photographed texture already contains folds."""
        if self.texture.photographed:
            return None
        return self.stage.relief.of(self.texture.traits.age, strengths(expression), 1.0)

    def _landmarks(self, vertices: np.ndarray, rotations: np.ndarray) -> np.ndarray:
        """Return the 68 points (68, 3); points of the brows follow the painted brows."""
        landmarks = self.stage.landmarks(vertices, rotations)
        if self.texture.brows is not None:
            faces, weights = self.texture.brows
            landmarks[17:27] = np.einsum("nij,ni->nj", vertices[self.stage.head.faces[faces]], weights)
        return landmarks

    def _move(
        self, part: Part, neutral: np.ndarray, rigid: np.ndarray, root: np.ndarray, vertices: np.ndarray
    ) -> np.ndarray:
        """Return the posed vertices of a part.

        The head's share moves with the neck joint; the trunk's stays upright with half of the root's yaw."""
        if part.seam is None and not part.trunk.any():
            return np.asarray(neutral @ rigid[1, :3, :3].T + rigid[1, :3, 3], np.float32)
        foot_neutral, foot = self.neutral[self._foot].mean(0), vertices[self._foot].mean(0)
        yaw = np.arctan2(root[0, 2], root[2, 2])
        upright = rotation_matrix(np.array([0.0, 0.5 * yaw, 0.0]))
        local = neutral - foot_neutral
        carried, standing = local @ root.T + foot, local @ upright.T + foot
        if part.seam is not None:
            # The neck bends: every column of the trunk begins where the head ends.
            missing = vertices[part.seam] - (self.neutral[part.seam] - foot_neutral) @ root.T - foot
            carried += np.tile(missing, (len(carried) // len(missing), 1))
        return np.asarray(carried + part.trunk[:, None] * (standing - carried), np.float32)
