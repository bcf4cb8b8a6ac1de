"""Every number of the table of ``evaluate``: its stage, name, unit, which way is better, and what it says.

Words in braces are filled in where the number is added (:meth:`Metric.of`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """A number that judges a stage; ``about`` says in words what it is."""

    stage: str
    name: str
    unit: str
    better: Better
    about: str

    def of(self, **words: object) -> Metric:
        """Return it with the words in braces filled in."""
        return replace(self, name=self.name.format(**words), about=self.about.format(**words))


CUT_PRECISION = Metric("frames", "cut_precision", "", "higher", "found cuts that are true")
CUT_RECALL = Metric("frames", "cut_recall", "", "higher", "true cuts that are found")

RECALL_FRONTAL = Metric(
    "faces", "recall_frontal", "", "higher", "whole, unhidden true faces turned up to {yaw:g} degrees that are detected"
)
RECALL_TURNED = Metric("faces", "recall_turned", "", "higher", "the same, turned over {yaw:g} degrees")
DETECTION_PRECISION = Metric("faces", "precision", "", "higher", "detections that are a true face")
IDF1 = Metric("faces", "idf1", "", "higher", "IDF1 of tracks; a true track is one person in one shot")
PAIRWISE_F1 = Metric("identities", "pairwise_f1", "", "higher", "F1 of 'same person' over all pairs of detected faces")

MIXED_SEQUENCES = Metric("sequences", "mixed", "", "lower", "sequences that hold more than one person")
SEQUENCES_FOUND = Metric("sequences", "count", "", "higher", "sequences found")

LANDMARKS_NME = Metric(
    "landmarks",
    "nme",
    "%",
    "lower",
    "mean distance of the 68 points to the truth / distance of the outer eye corners",
)
LANDMARKS_NME_MEDIAN = Metric("landmarks", "nme_median", "%", "lower", "median of the same")
LANDMARKS_NME_FRONTAL = Metric("landmarks", "nme_frontal", "%", "lower", "faces turned up to {yaw:g} degrees")
LANDMARKS_NME_TURNED = Metric("landmarks", "nme_turned", "%", "lower", "faces turned over {yaw:g} degrees")
LANDMARKS_FAILURES = Metric("landmarks", "failures", "%", "lower", "faces with NME over 8 %")

FACE_IOU = Metric(
    "masks", "face_iou", "", "higher", "intersection over union of the face mask with the truth, mean over crops"
)
FACE_IOU_WORST = Metric("masks", "face_iou_worst", "", "higher", "worst crop")
CLASS_IOU = Metric("masks", "iou_{region}", "", "higher", "class {region}, all pixels")

LOSS_FIRST = Metric("train", "loss_first", "", "lower", "first logged training loss")
LOSS_LAST = Metric("train", "loss_last", "", "lower", "last logged training loss")
LOSS_RATIO = Metric("train", "loss_ratio", "", "lower", "last / first")

LANDMARK_NME = Metric(
    "reconstruct",
    "landmark_nme",
    "%",
    "lower",
    "projected 68 points against the landmarks stage's points / distance of the outer eye corners",
)
REPROJECTION_NME = Metric(
    "reconstruct",
    "reprojection_nme",
    "%",
    "lower",
    "projected 68 points against the truth / distance of the outer eye corners",
)
JITTER = Metric(
    "reconstruct",
    "jitter",
    "%",
    "lower",
    "mean second difference over time of the points' error / distance of the outer eye corners",
)
SHAPE_SPREAD = Metric(
    "reconstruct",
    "shape_spread",
    "",
    "lower",
    "standard deviation of the identity code inside a sequence, mean over coefficients",
)
POSED_ERROR = Metric(
    "reconstruct",
    "posed_error",
    "%",
    "lower",
    "mean 3D distance of the face's vertices to the truth in the crop's frame (pose, place, size and shape; "
    "depth up to a shift) / distance of the outer eye corners",
)
ALIGNED_ERROR = Metric(
    "reconstruct",
    "aligned_error",
    "mm",
    "lower",
    "mean vertex distance after the best similarity: identity and expression",
)
NEUTRAL_ERROR = Metric(
    "reconstruct",
    "neutral_error",
    "mm",
    "lower",
    "mean vertex distance of the expressionless meshes after the best similarity: identity alone",
)
