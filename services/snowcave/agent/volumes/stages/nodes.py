"""The kernel's numbers for paths, for as long as it remembers them."""

import errno
import itertools
from dataclasses import dataclass, field

from snowcave.agent.volumes.stages import wire


@dataclass
class Nodes:
    _paths: dict[int, str] = field(default_factory=lambda: {wire.ROOT: ""})
    _numbers: dict[str, int] = field(default_factory=lambda: {"": wire.ROOT})
    _lookups: dict[int, int] = field(default_factory=dict[int, int])
    _next: "itertools.count[int]" = field(default_factory=lambda: itertools.count(2))

    def path(self, node: int) -> str:
        try:
            return self._paths[node]
        except KeyError:
            raise OSError(errno.ESTALE, "no such node") from None

    def number(self, path: str) -> int:
        """Without counting it as one more that the kernel knows of."""
        if path not in self._numbers:
            node = next(self._next)
            self._numbers[path], self._paths[node] = node, path
        return self._numbers[path]

    def looked_up(self, path: str) -> int:
        node = self.number(path)
        self._lookups[node] = self._lookups.get(node, 0) + 1
        return node

    def forget(self, node: int, lookups: int) -> None:
        left = self._lookups.get(node, 0) - lookups
        if left > 0 or node == wire.ROOT:
            self._lookups[node] = left
            return
        self._lookups.pop(node, None)
        path = self._paths.pop(node, None)
        if path is not None and self._numbers.get(path) == node:
            del self._numbers[path]

    def moved(self, old: str, new: str) -> None:
        """The kernel keeps the number of what it renamed."""
        self._paths.pop(self._numbers.pop(new, 0), None)
        node = self._numbers.pop(old, None)
        if node is not None:
            self._numbers[new], self._paths[node] = node, new
