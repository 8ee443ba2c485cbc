"""TO_CHAR of a number with a format, such as `999,990.00`. Pure.

Digits, zeros, one point, commas every three digits, `$`, a sign in front (`S`) or behind (`MI`), and `FM`.
The text is as wide as the format and a place for the sign, filled with blanks in front; it is all `#` where
the number is too large.
"""

import re
from dataclasses import astuple, dataclass

from sqlglot import Expr, exp

from snowcave.model.errors import Unsupported
from snowcave.warehouse.engine.macros import call

_FORMAT = re.compile(
    r"(?P<bare>FM)?(?P<lead>S)?(?P<money>\$)?(?P<whole>[90](?:[90,G]*[90])?)?"
    r"(?:[.D](?P<part>[90]*))?(?P<trail>MI|S)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Shape:
    """The arguments of the macro `number_text`, after the number."""

    digits: int
    # At least so many digits before the point.
    least: int
    decimals: int
    point: str
    grouped: bool
    money: str
    # What stands before and after a number below zero, and any other.
    before: str
    before_others: str
    after: str
    after_others: str
    # 0: no blanks in front.
    width: int


def written(value: Expr, text: str) -> Expr:
    """The number as text. Raises Unsupported where the format is another one."""
    given = [
        exp.Boolean(this=one)
        if isinstance(one, bool)
        else exp.Literal.string(one)
        if isinstance(one, str)
        else exp.Literal.number(one)
        for one in astuple(shape_of(text))
    ]
    return call("number_text", value.copy(), *given)


def shape_of(text: str) -> Shape:
    found = _FORMAT.fullmatch(text)
    if not found or not (found["whole"] or found["part"]):
        raise Unsupported(f"TO_CHAR of a number with the format '{text[:100]}'")
    whole, part = found["whole"] or "", found["part"] or ""
    digits = re.sub("[,G]", "", whole.upper())
    grouped = len(digits) != len(whole)
    commas = (len(digits) - 1) // 3 if grouped else 0
    point = "." if "." in text or "D" in text.upper() else ""
    money = "$" if found["money"] else ""
    trail = (found["trail"] or "").upper()
    width = len(digits) + commas + len(point) + len(part) + len(money) + 1
    return Shape(
        digits=len(digits),
        least=len(digits) - digits.find("0") if "0" in digits else 0,
        decimals=len(part),
        point=point,
        grouped=grouped,
        money=money,
        before="" if trail else "-",
        before_others="+" if found["lead"] else "",
        after="-" if trail else "",
        after_others={"": "", "S": "+", "MI": " "}[trail],
        width=0 if found["bare"] else width,
    )
