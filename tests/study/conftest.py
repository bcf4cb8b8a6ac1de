"""The small set of shots."""

from tests.supervised.conftest import folder, head, some

__all__ = ["folder", "head", "some"]
