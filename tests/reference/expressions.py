"""Evaluate the array expressions and slices that reference files carry as text, and nothing else.

A folder of reference files may come from anywhere, so its text is not handed to ``eval`` as it is: only arithmetic,
indexing, the functions named here and methods that compute arrays are let through.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.reference import fill

_NUMPY = frozenset({
    "abs", "all", "amax", "amin", "any", "arange", "argmax", "argmin", "argsort", "array", "asarray",
    "ascontiguousarray", "atleast_1d", "atleast_2d", "broadcast_to", "clip", "column_stack", "concatenate", "cross",
    "cumprod", "cumsum", "diag", "diff", "dot", "einsum", "expand_dims", "eye", "flip", "full", "full_like",
    "hstack", "identity", "indices", "inner", "kron", "linspace", "matmul", "max", "maximum", "mean", "meshgrid",
    "min", "minimum", "moveaxis", "newaxis", "ones", "ones_like", "outer", "pad", "pi", "prod", "ptp", "ravel",
    "repeat", "reshape", "roll", "rollaxis", "rot90", "round", "sort", "split", "squeeze", "stack", "std", "sum",
    "swapaxes", "take", "tensordot", "tile", "trace", "transpose", "tril", "triu", "unique", "var", "vstack",
    "where", "zeros", "zeros_like",
})  # fmt: skip
_METHODS = frozenset({
    "T", "all", "any", "argmax", "argmin", "astype", "clip", "copy", "cumsum", "dot", "dtype", "flatten", "max",
    "mean", "min", "ndim", "prod", "ravel", "repeat", "reshape", "round", "shape", "size", "squeeze", "std", "sum",
    "swapaxes", "take", "transpose", "var",
})  # fmt: skip
_FILL = frozenset({"uniform", "image", "parameter"})
_BUILTINS = {f.__name__: f for f in (abs, bool, float, int, len, max, min, range, round, slice, tuple)}
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.keyword, ast.Attribute,
    ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Constant, ast.Name, ast.Load, ast.operator, ast.unaryop,
    ast.boolop, ast.cmpop, ast.Starred,
)  # fmt: skip


class ExpressionError(ValueError):
    """A text does more than compute an array; the message shows which part."""


def _allowed_in_numpy(name: str) -> bool:
    value = getattr(np, name, None)
    is_type = isinstance(value, type) and issubclass(value, np.generic)
    return name in _NUMPY or isinstance(value, np.ufunc) or is_type


def evaluate(text: str, names: Mapping[str, Any] | None = None) -> Any:
    """Return the value of an expression over ``np``, ``fill`` and ``names``.

    Raises:
        ExpressionError: not an expression, or one that uses anything but arithmetic, indexing and array functions.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise ExpressionError(f"not an expression: {text!r} ({error})") from error
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            raise ExpressionError(f"{type(node).__name__} is not allowed in {text!r}")
        if isinstance(node, ast.Name) and node.id.startswith("_"):
            raise ExpressionError(f"{node.id} is not allowed in {text!r}")
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else None
            if owner == "np":
                allowed = _allowed_in_numpy(node.attr)
            else:
                allowed = node.attr in (_FILL if owner == "fill" else _METHODS)
            if not allowed:
                raise ExpressionError(f"{ast.unparse(node)} is not allowed in {text!r}")
    # Some of numpy's functions import on their first call, with the builtins of the caller; the text itself cannot name
    # anything with an underscore. An empty ``names`` may still evaluate entries when they are asked for.
    allowed_globals = {"__builtins__": {"__import__": __import__}}
    return eval(compile(tree, "<reference file>", "eval"), allowed_globals, _Scope({} if names is None else names))


def subscript(text: str) -> Any:
    """Return the index which ``text`` writes, as a tuple of slices or in brackets: ``[::2, ::2]``.

    Raises:
        ExpressionError: it is neither.
    """
    stripped = text.strip()
    if stripped.startswith("["):
        return evaluate(f"index{stripped}", {"index": np.s_})
    return evaluate(stripped)


class _Scope(dict):
    def __init__(self, names: Mapping[str, Any]) -> None:
        super().__init__(np=np, fill=fill)
        self.names = names

    def __missing__(self, name: str) -> Any:
        return _BUILTINS[name] if name in _BUILTINS else self.names[name]
