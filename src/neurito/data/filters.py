"""Choosing units by an expression over the columns of a table, as in ``quality == 'good' and rate > 1``."""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from neurito.errors import NeuritoError, nearest

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: np.isin,
    ast.NotIn: lambda a, b: ~np.isin(a, b),
}


def choose(expression: str, columns: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    """Rows of a table for which an expression holds.

    Columns, numbers, strings and lists may be compared (``==  !=  <  <=  >  >=  in  not in``) and joined by
    ``and``, ``or``, ``not``; nothing else is evaluated.

    Args:
        expression: for instance ``location in ['CA1', 'CA3'] and not bad``.
        columns: (row,) arrays by name.
        n: how many rows.

    Returns:
        bool (row,).

    Raises:
        NeuritoError: the expression cannot be read, names no column, or holds nowhere.
    """

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Name(id=name):
                if name not in columns:
                    raise NeuritoError(f"units={expression!r}: no column {name!r}; {nearest(name, columns)}")
                return columns[name]
            case ast.Constant(value=constant):
                return constant
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [value(item) for item in items]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~truth(operand)
            case ast.BoolOp(op=op, values=parts):
                return (np.logical_and if isinstance(op, ast.And) else np.logical_or).reduce(
                    [truth(part) for part in parts]
                )
            case ast.Compare(left=left, ops=ops, comparators=rights):
                sides = [value(side) for side in (left, *rights)]
                return np.logical_and.reduce(
                    [_COMPARE[type(op)](a, b) for op, a, b in zip(ops, sides, sides[1:], strict=False)]
                )
            case _:
                raise SyntaxError

    def truth(node: ast.expr) -> np.ndarray:
        return np.broadcast_to(np.asarray(value(node), bool), (n,))

    try:
        chosen = truth(ast.parse(expression, mode="eval").body)
    except (SyntaxError, KeyError, TypeError) as error:
        raise NeuritoError(
            f"units={expression!r} is no expression; compare columns, as in \"quality == 'good'\""
        ) from error
    if not chosen.any():
        raise NeuritoError(f"units={expression!r} holds for none of {n} units; columns: {', '.join(columns)}")
    return chosen
