"""The forward model of a FLAME-format head: codes to vertices and 68 points, differentiable.

Source: Li et al., "Learning a model of facial shape and expression from 4D scans" (SIGGRAPH Asia 2017), in the
arrangement of DECA's ``FLAME.py``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tvface.head.data import HeadData

MAX_YAW = 39  # deg, last yaw of the contour table


class HeadOutput(NamedTuple):
    """Vertices (B,V,3), landmarks2d (B,68,3) with the contour by yaw, landmarks3d (B,68,3).

    Convention: metres, head frame.
    """

    vertices: Tensor
    landmarks2d: Tensor
    landmarks3d: Tensor


class Skeleton(NamedTuple):
    """Joints root, neck, jaw and both eyes.

    ``rest`` (B,5,3) of the shaped head and ``posed`` (B,5,3) in metres; ``rotations`` (B,5,3,3), each relative to the
    joint's parent.
    """

    rest: Tensor
    posed: Tensor
    rotations: Tensor


class HeadModel(nn.Module):
    """Linear identity and expression, pose correctives, linear blend skinning, landmark embedding.

    Args:
        data: the head model.
        n_shape, n_expression: coefficients used; at most the stored columns.

    Raises:
        ValueError: the head has fewer columns.
    """

    v_template: Tensor
    faces: Tensor
    basis: Tensor
    pose_basis: Tensor
    joint_regressor: Tensor
    skinning: Tensor
    static_faces: Tensor
    static_bary: Tensor
    contour_faces: Tensor
    contour_bary: Tensor
    full_faces: Tensor
    full_bary: Tensor

    def __init__(self, data: HeadData, n_shape: int, n_expression: int) -> None:
        super().__init__()
        for name, count, basis in (
            ("n_shape", n_shape, data.shape_basis),
            ("n_expression", n_expression, data.expression_basis),
        ):
            if count > basis.shape[-1]:
                raise ValueError(f"head.{name} = {count}: this head has {basis.shape[-1]} columns; lower the setting")
        self.n_shape, self.n_expression = n_shape, n_expression
        self.parents: list[int] = data.parents.tolist()
        columns = [data.shape_basis[..., :n_shape], data.expression_basis[..., :n_expression]]
        floats = {
            "v_template": data.v_template,
            "basis": torch.cat([torch.from_numpy(c) for c in columns], -1),
            "pose_basis": data.pose_basis,
            "joint_regressor": data.joint_regressor,
            "skinning": data.skinning,
            "static_bary": data.static_bary,
            "contour_bary": data.contour_bary,
            "full_bary": data.full_bary,
        }
        for name, array in floats.items():
            self.register_buffer(name, torch.as_tensor(array, dtype=torch.float32).clone())
        for name in ("faces", "static_faces", "contour_faces", "full_faces"):
            self.register_buffer(name, torch.as_tensor(getattr(data, name), dtype=torch.int64).clone())

    def forward(
        self,
        shape: Tensor,
        expression: Tensor,
        pose: Tensor,
        neck: Tensor | None = None,
        eyes: Tensor | None = None,
    ) -> HeadOutput:
        """Return vertices and landmarks in metres.

        Args:
            shape: (B,S) identity coefficients, unit normal.
            expression: (B,E) expression coefficients.
            pose: (B,6) axis-angle of root and jaw, rad; jaw x > 0 opens the mouth.
            neck: (B,3) axis-angle of the neck, rad; none: straight.
            eyes: (B,6) axis-angle of the two eyes, rad; none: straight ahead.
        """
        batch = len(shape)
        shaped, joints, rotations = self._shaped(shape, expression, pose, neck, eyes)
        identity = torch.eye(3, dtype=shaped.dtype, device=shaped.device)
        offsets = (rotations[:, 1:] - identity).reshape(batch, 36) @ self.pose_basis
        posed = shaped + offsets.reshape(batch, -1, 3)
        rotation, posed_joints = self._chain(rotations, joints)
        translation = posed_joints - (rotation @ joints[..., None])[..., 0]
        blended = torch.einsum("vj,bjxy->bvxy", self.skinning, rotation)
        shift = torch.einsum("vj,bjx->bvx", self.skinning, translation)
        vertices = torch.einsum("bvxy,bvy->bvx", blended, posed) + shift
        row = contour_row(rotations[:, 0] @ rotations[:, 1])
        faces2d = torch.cat([self.contour_faces[row], self.static_faces.expand(batch, -1)], 1)
        bary2d = torch.cat([self.contour_bary[row], self.static_bary.expand(batch, -1, -1)], 1)
        return HeadOutput(
            vertices,
            self.at(vertices, faces2d, bary2d),
            self.at(vertices, self.full_faces.expand(batch, -1), self.full_bary.expand(batch, -1, -1)),
        )

    def skeleton(
        self,
        shape: Tensor,
        expression: Tensor,
        pose: Tensor,
        neck: Tensor | None = None,
        eyes: Tensor | None = None,
    ) -> Skeleton:
        """Return the joints of the heads of :meth:`forward`, which takes the same arguments."""
        _, joints, rotations = self._shaped(shape, expression, pose, neck, eyes)
        return Skeleton(joints, self._chain(rotations, joints)[1], rotations)

    def _shaped(
        self, shape: Tensor, expression: Tensor, pose: Tensor, neck: Tensor | None, eyes: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return shaped vertices (B,V,3) before any pose, their joints (B,5,3), local rotations (B,5,3,3)."""
        batch = len(shape)
        neck = pose.new_zeros(batch, 3) if neck is None else neck
        eyes = pose.new_zeros(batch, 6) if eyes is None else eyes
        full_pose = torch.cat([pose[:, :3], neck, pose[:, 3:], eyes], 1)
        codes = torch.cat([shape, expression], 1)
        shaped = self.v_template + torch.einsum("bl,vcl->bvc", codes, self.basis)
        joints = torch.einsum("jv,bvc->bjc", self.joint_regressor, shaped)
        return shaped, joints, rodrigues(full_pose.reshape(-1, 3)).reshape(batch, 5, 3, 3)

    def restricted(self, vertices: Tensor) -> HeadModel:
        """Return the model of these vertices and of the 68 points alone: the same numbers, some ten times as fast.

        Its first vertices are the asked ones, in order; those of the triangles that carry the points follow, then the
        five joints, which are linear in the codes, as vertices. It has no faces but the points' own.

        Args:
            vertices: (N,) int64, indices of vertices, no index twice; may be empty.
        """
        tables = (self.static_faces, self.contour_faces, self.full_faces)
        used = torch.unique(torch.cat([table.reshape(-1) for table in tables]))
        corners = torch.unique(self.faces[used])
        kept = torch.cat([vertices, corners[~torch.isin(corners, vertices)]])
        place = torch.full((len(self.v_template),), -1)
        place[kept] = torch.arange(len(kept))
        count = len(kept)
        small = HeadModel.__new__(HeadModel)
        nn.Module.__init__(small)
        small.n_shape, small.n_expression, small.parents = self.n_shape, self.n_expression, self.parents
        regressor = self.joint_regressor
        pose_basis = self.pose_basis.reshape(36, -1, 3)[:, kept]
        row = torch.full((int(used.max()) + 1,), -1)
        row[used] = torch.arange(len(used))
        buffers = {
            "v_template": torch.cat([self.v_template[kept], regressor @ self.v_template]),
            "basis": torch.cat([self.basis[kept], torch.einsum("jv,vcl->jcl", regressor, self.basis)]),
            "pose_basis": torch.cat([pose_basis, pose_basis.new_zeros(36, 5, 3)], 1).reshape(36, -1),
            "joint_regressor": torch.cat([regressor.new_zeros(5, count), torch.eye(5)], 1),
            "skinning": torch.cat([self.skinning[kept], torch.eye(5)]),
            "faces": place[self.faces[used]],
            **{f"{name}_faces": row[getattr(self, f"{name}_faces")] for name in ("static", "contour", "full")},
            **{f"{name}_bary": getattr(self, f"{name}_bary") for name in ("static", "contour", "full")},
        }
        for name, tensor in buffers.items():
            small.register_buffer(name, tensor.clone())
        return small

    def at(self, vertices: Tensor, faces: Tensor, bary: Tensor) -> Tensor:
        """Return the points (B,N,3) at barycentric weights (B,N,3) of faces (B,N)."""
        corners = self.faces[faces]
        gathered = vertices[torch.arange(len(vertices), device=vertices.device)[:, None, None], corners]
        return (gathered * bary[..., None]).sum(2)

    def _chain(self, rotations: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rotation (B,5,3,3) of each joint in the head's frame and its posed position (B,5,3)."""
        world_rotation = [rotations[:, 0]]
        world_joint = [joints[:, 0]]
        for joint in range(1, len(self.parents)):
            parent = self.parents[joint]
            step = (joints[:, joint] - joints[:, parent])[..., None]
            world_joint.append(world_joint[parent] + (world_rotation[parent] @ step)[..., 0])
            world_rotation.append(world_rotation[parent] @ rotations[:, joint])
        return torch.stack(world_rotation, 1), torch.stack(world_joint, 1)


def rodrigues(axis_angle: Tensor) -> Tensor:
    """Return rotation matrices (N,3,3) of axis-angle vectors (N,3), rad.

    The angle is the norm of the vector plus 1e-8 in every component, as in the original: it keeps the gradient finite
    at zero, and its effect is below float32 resolution elsewhere.
    """
    angle = (axis_angle + 1e-8).norm(dim=1, keepdim=True)
    x, y, z = (axis_angle / angle).unbind(1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)
    sine, cosine = torch.sin(angle)[..., None], torch.cos(angle)[..., None]
    identity = torch.eye(3, dtype=skew.dtype, device=skew.device)
    return identity + sine * skew + (1 - cosine) * (skew @ skew)


def contour_row(rotation: Tensor) -> Tensor:
    """Return the row (B,) of the contour table for head rotations (B,3,3); rows of yaw -1..-39 follow rows of 0..39."""
    x_axis = torch.hypot(rotation[:, 0, 0], rotation[:, 1, 0])
    degrees = torch.rad2deg(torch.atan2(-rotation[:, 2, 0], x_axis)).detach()
    yaw = torch.round(degrees.clamp(max=MAX_YAW)).to(torch.int64)
    yaw = yaw.clamp(min=-MAX_YAW)
    return torch.where(yaw < 0, MAX_YAW - yaw, yaw)
