"""Class labels in FLAME's UV map, derived from the landmark embedding, the skinning weights and the face mask.

FLAME comes without region labels that may be used here; lips, nose and brows are the polygons of their landmarks in
UV, the eyes are the triangles that hang on the eye joints, skin is the rest of the face mask. Outside it the class
is 0: hair, ears and neck are not told apart.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

SKIN, L_BROW, R_BROW, L_EYE, R_EYE, NOSE, MOUTH, U_LIP, L_LIP = 1, 2, 3, 4, 5, 10, 11, 12, 13
_FIRST = 17  # 300-W number of the first static point
_OUTER_LIP, _INNER_LIP = list(range(48, 60)), list(range(60, 68))
_UPPER = [48, 49, 50, 51, 52, 53, 54, 64, 63, 62, 61, 60]
_LOWER = [54, 55, 56, 57, 58, 59, 48, 60, 67, 66, 65, 64]
_NOSE = [27, 31, 32, 33, 34, 35]
_BROWS = ((R_BROW, range(17, 22)), (L_BROW, range(22, 27)))


def label_map(
    size: int,
    uv: np.ndarray,
    uv_faces: np.ndarray,
    faces: np.ndarray,
    skinning: np.ndarray,
    points: Mapping[str, np.ndarray],
    face_mask: np.ndarray,
) -> np.ndarray:
    """Return the classes (size, size) uint8, zllrunning order, row 0 at v = 1.

    Args:
        uv, uv_faces, faces, skinning: of the mesh.
        points: ``static_faces`` (51,) and ``static_bary`` (51,3).
        face_mask: (U,U) in [0,1].
    """
    corners = uv[uv_faces[points["static_faces"]]]
    places = (corners * points["static_bary"][..., None]).sum(1)

    def pixels(where: np.ndarray) -> np.ndarray:
        return np.round(np.stack([where[:, 0] * size - 0.5, (1 - where[:, 1]) * size - 0.5], 1)).astype(np.int32)

    marks = pixels(places)
    mask = cv2.resize(face_mask, (size, size), interpolation=cv2.INTER_LINEAR)
    labels = np.where(mask > 0.5, SKIN, 0).astype(np.uint8)
    for eye_class, joint in ((L_EYE, 3), (R_EYE, 4)):
        hanging = (skinning[faces][:, :, joint] > 0.5).all(1)
        for triangle in uv_faces[hanging]:
            cv2.fillConvexPoly(labels, pixels(uv[triangle]), eye_class)

    def fill(value: int, numbers: list[int]) -> None:
        cv2.fillPoly(labels, [marks[np.array(numbers) - _FIRST]], value)

    fill(NOSE, _NOSE)
    fill(MOUTH, _INNER_LIP)
    fill(U_LIP, _UPPER)
    fill(L_LIP, _LOWER)
    for value, numbers in _BROWS:
        line = marks[np.array(list(numbers)) - _FIRST]
        cv2.polylines(labels, [line], False, value, thickness=max(2, size // 64))
    return labels
