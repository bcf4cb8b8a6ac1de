"""tvface's numbers against the originals', for every reference file that this repository may hold."""

import pytest

from tests.reference import checks
from tests.reference.arrays import ROOT, SHARED
from tests.reference.checks.sheet import Folder

# The others are derived from files under DECA's licence, or need weights for research only.
HELD = [name for name in checks.KNOWN if (ROOT / name).is_file()]
# No tolerance is wider than these parts of the largest value: of one entry; of norms and root mean squares.
WIDEST, WIDEST_TYPICAL = 0.5, 0.03
UNHELD = (
    "zero_code_vertices_minus_template_absmax",  # nothing but rounding
    "detail.grad_norm.D_detail.conv_blocks.2.bias",  # likewise: a normalisation follows
    "detail.grad_norm.D_detail.conv_blocks.21.bias",  # a sum over 262,144 pixels that cancels to a thousandth
)


@pytest.mark.parametrize("name", checks.KNOWN)
def test_every_quantity_of(name: str) -> None:
    root = ROOT if name in HELD else SHARED / "reference"
    if not (root / name).is_file():
        pytest.skip(f"{root / name} is missing (made from licensed files or research weights, local only)")
    folder = Folder(root, SHARED / "licensed" / "deca", SHARED / "weights")
    results = checks.check_file(folder, name)
    skipped = [result.reason for result in results if isinstance(result, checks.Skipped)]
    if skipped:
        pytest.skip(skipped[0])
    assert results
    failed = [str(result) for result in results if not result.passed]
    assert not failed, "\n".join(failed)
    wide = [str(result) for result in results if result.share > widest(result.name)]
    assert not wide, "float32 holds these better than that:\n" + "\n".join(wide)


def widest(name: str) -> float:
    if name.endswith(UNHELD):
        return float("inf")
    return WIDEST_TYPICAL if "norm" in name or name.endswith("(root mean square)") else WIDEST


def test_what_must_be_held_is_held() -> None:
    missing = sorted(set(checks.KNOWN) - set(HELD))
    licensed = {f"deca/{name}.npz" for name in ("flame", "render", "shading", "uv")} | {"net/spynet_sintel_final.npz"}
    assert {name for name in missing if name.endswith(".npz")} == licensed


def test_every_key_list_has_its_network() -> None:
    from tests.reference.checks.names import NAMES

    assert tuple(NAMES) == checks.KEYS
