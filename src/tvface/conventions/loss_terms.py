"""The terms that the loss of each phase may have, and the published networks they need. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping

_COARSE = ("landmark", "eye", "lip", "photometric", "identity", "shape", "expression", "texture", "light")
_DETAIL = ("photometric_detail", "mrf", "symmetry", "displacement", "smoothness")

TERMS: Mapping[str, tuple[str, ...]] = {"pretrain": _COARSE, "coarse": _COARSE, "detail": _DETAIL}

# Term -> asset of the registry.
NETWORKS: Mapping[str, str] = {"identity": "vggface2", "mrf": "vgg19"}
