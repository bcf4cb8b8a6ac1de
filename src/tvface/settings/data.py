"""Settings of the data half: frames, faces, identities, sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tvface.settings.base import block, option


@dataclass(frozen=True)
class Shots:
    """Shot and scene boundaries, measured on 64 x 36 thumbnails; tuned for 3 frames/s."""

    # Colour thresholds alone fail: a real cut had a histogram distance of 0.37, a head leaving the picture 0.33. The
    # sum with the part of the picture that has no counterpart separates them: 5 cuts in real clips 1.37-1.80, 252
    # splices of 7 clips 1.44 and more, motion up to 0.96, a change of light alone at most 1.
    cut: float = option(1.15, "histogram distance + unmatched part of the picture that make a cut", low=0, high=2)
    # Set-ups of one defocused room sum to 0.66-1.15 at 7 to 25 times their neighbours; motion in real clips that
    # changes colour by 0.18 or more reaches 1.3 times.
    quiet: float = option(0.55, "a smaller sum is a cut if it stands out and ...", low=0, high=2)
    quiet_histogram: float = option(0.16, "... its histogram distance is at least this and ...", low=0, high=1)
    quiet_structure: float = option(
        0.35, "... its unmatched part is at least this (light changes have none) and ...", low=0, high=1
    )
    prominence: float = option(4.0, "... the sum is this many times that of the frames around it", low=1)
    flash: float = option(0.15, "histogram distance under which the frames around a flash are alike", low=0, high=1)
    dissolve: float = option(0.50, "histogram distance over 2 to 4 frames that makes a dissolve", low=0, high=1)
    # 1 joins nothing: a joined shot would hide a cut inside, and the last shot of a clip may rightly be short.
    min_frames: int = option(1, "shots shorter than this are joined to a neighbour", unit="sampled frames", low=1)
    scene_histogram: float = option(0.30, "shots of one scene differ by less than this", low=0, high=1)
    scene_gap: float = option(8.0, "shots of one scene are at most this far apart", unit="s", low=0)


@dataclass(frozen=True)
class Frames:
    """Sampling of the footage into one frame store per episode."""

    fps: float = option(3.0, "sampling rate; TVQA's frames come at 3", unit="Hz", low=0.1, high=120)
    long_side: int = option(0, "shrink frames to this longer side; 0 keeps the size", unit="px", low=0)
    jpeg_quality: int = option(95, "quality of stored frames", low=1, high=100)
    unreadable: Literal["stop", "skip"] = option(
        "stop", "an episode without a readable picture: stop, or go on without it and report it"
    )
    black_luma: float = option(8.0, "frames darker than this on average are marked black", unit="0..255", low=0)
    # Measured: repeated frames of an encoded freeze differ by 0-1, the stillest talking head of the real clips by 8.
    duplicate: float = option(
        2.0, "a frame repeats the one before if no pixel of its thumbnail differs by more", unit="luma, 0..255", low=0
    )
    shots: Shots = block(Shots)


@dataclass(frozen=True)
class Tracks:
    """Linking of faces inside one shot."""

    iou: float = option(0.3, "boxes that overlap this much may be one face", low=0, high=1)
    shift: float = option(0.5, "or whose centres moved less than this many box sides", low=0)
    distance: float | None = option(None, "largest embedding distance to the track; null: the embedder's own")
    max_gap: int = option(4, "a track survives this many sampled frames without detection", low=0)


@dataclass(frozen=True)
class Faces:
    """Detection, embedding and tracking."""

    detector: str = option("mtcnn", "registered detector")
    embedder: str = option(
        "appearance", "registered embedder: appearance (no weights), compact (bundled) or inception_resnet"
    )
    min_face: int = option(24, "smallest face the detector looks for", unit="px", low=12)
    thresholds: tuple[float, float, float] = option((0.6, 0.7, 0.7), "the three MTCNN thresholds", low=0, high=1)
    min_score: float = option(0.80, "faces with a lower probability are dropped", low=0, high=1)
    batch: int = option(16, "frames per detector call", low=1)
    margin: int = option(14, "margin of the 160 px embedding crop", unit="px", low=0)
    tracks: Tracks = block(Tracks)


@dataclass(frozen=True)
class Identities:
    """Clustering of one show's tracks into people."""

    threshold: float | None = option(None, "average-linkage distance within a person; null: the embedder's own")
    min_faces: int = option(3, "tracks with fewer faces keep a person of their own", low=1)
    cast: str | None = option(None, "folder <show>/<name>/*.jpg that names the people")
    decisions: str | None = option(None, "folder of <show>.tsv: people merged, split, named, dropped by hand")


@dataclass(frozen=True)
class Sequences:
    """Mining of sequences of one moving, clear, single face."""

    length: int = option(10, "frames per sequence", low=2)
    min_frames: int = option(11, "a track needs this many valid frames ('over 10 frames')", low=2)
    image_size: int = option(224, "side of the crops", unit="px", low=32)
    image_format: Literal["png", "jpg"] = option("png", "format of the crops; jpg is ten times smaller, lossy")
    min_score: float = option(0.95, "detection probability of a valid face", low=0, high=1)
    min_side: float = option(48.0, "side of a valid face box, sqrt(w h)", unit="px", low=8)
    min_inside: float = option(0.95, "part of the box that lies in the picture", low=0, high=1)
    aspect: tuple[float, float] = option((0.6, 1.4), "range of box width / height", low=0)
    other_score: float = option(0.90, "another detection of this probability ...", low=0, high=1)
    other_area: float = option(0.15, "... and this part of the main face's area breaks the single-face rule", low=0)
    max_upscale: float = option(5.0, "largest enlargement of the crop", low=1)
    clarity_percentile: float = option(
        10.0, "crops below this percentile of their episode's clarity are blurred", unit="%", low=0, high=100
    )
    luma: tuple[float, float] = option((20.0, 235.0), "range of the crop's mean luma", low=0, high=255)
    max_pose: float = option(0.7, "largest |nose - middle of the eyes| / eye distance, horizontally", low=0)
    max_padding: float = option(0.10, "largest part of a crop that lies outside the picture", low=0, high=1)
    move: float = option(0.03, "a pair of frames moves if its points shift by this many eye distances", low=0)
    deform: float = option(0.015, "or by this much after the best similarity is removed", low=0)
    too_fast: float = option(1.0, "a pair that shifts by more breaks the sequence", low=0)
    moving_pairs: float = option(0.6, "part of the pairs that must move", low=0, high=1)
    max_still: int = option(3, "longest run of still pairs", low=0)
    max_median: float = option(0.5, "largest median shift", low=0)
    max_gap: int = option(4, "largest step between frames inside a shot", unit="sampled frames", low=1)
    cross_shots: bool = option(False, "allow a sequence to cross shots of one scene")
    cross_gap: int = option(24, "largest step across a shot boundary", unit="sampled frames", low=1)
    max_crossings: int = option(2, "most boundaries in one sequence", low=0)
    max_zoom: float = option(1.5, "largest change of face size within a sequence", low=1)
    per_track: int | None = option(2, "most sequences of one track; null: no limit", low=1)
    per_person: int | None = option(4, "most sequences of one person in an episode; null: no limit", low=1)
    pair_distance: float | None = option(None, "largest embedding distance in a sequence; null: the embedder's own")
    crop_scale: float = option(1.25, "crop side / mean box side (DECA)", low=0.5, high=4)
    crop_down: float = option(0.12, "crop centre below the box centre, in box sides (DECA)", low=-1, high=1)
    recap_distance: int | None = option(
        4,
        "sequences whose perceptual hashes differ by fewer bits from another shot's are recaps; null: none is",
        low=1,
        high=64,
    )
