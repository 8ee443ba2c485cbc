"""What has become of a batch's attempts so far."""

from dataclasses import dataclass, field

from snowcave.functions.routing import Instance


class AttemptFailed(Exception):
    """An attempt that may be made again: the connection broke, or the service was overloaded."""


@dataclass(slots=True)
class Attempts:
    """A batch under way: what has failed so far, and where."""

    failed: int = 0
    avoid: set[str] = field(default_factory=set[str])
    # Why the last one failed.
    reason: str = ""
    _of_instance: str = ""

    def note(self, instance: Instance | None, reason: str) -> None:
        """`instance` is None where there was none to ask: then it counts what became of those before, too."""
        self.failed += 1
        self.reason = reason
        if instance is not None:
            self._of_instance = reason
            self.avoid.add(instance.name)
        elif self._of_instance:
            self.reason += f" (before that: {self._of_instance})"
