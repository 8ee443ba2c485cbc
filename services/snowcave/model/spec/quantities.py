"""Amounts of memory and processor: `1.5Gi`, `500m`. Exact: no floating point on the way."""

import re
from decimal import Decimal

_MEMORY_UNITS = {
    "Ki": 1 << 10,
    "Mi": 1 << 20,
    "Gi": 1 << 30,
    "Ti": 1 << 40,
    "k": 10**3,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
}
_MEMORY = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(Ki|Mi|Gi|Ti|[kKMGT])")
_CPU = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})(m?)")


# More than any machine has; keeps every figure within 64 bits.
_MOST_BYTES = 1 << 56


def memory_bytes(text: str) -> int | None:
    """Whole bytes; None where it is no amount with a unit."""
    match = _MEMORY.fullmatch(text)
    size = int(Decimal(match[1]) * _MEMORY_UNITS[match[2]]) if match else None
    return size if size is not None and size <= _MOST_BYTES else None


def cpu_milli(text: str) -> int | None:
    """Thousandths of a core, rounded up; None where it is no amount."""
    match = _CPU.fullmatch(text)
    if not match:
        return None
    amount = Decimal(match[1]) * (1 if match[2] else 1000)
    return int(amount.to_integral_value(rounding="ROUND_CEILING"))
