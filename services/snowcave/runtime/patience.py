"""How long a call goes on asking replicas of a daemon that go away. Pure."""


class Patience:
    """Of one call, which tells what becomes of its attempts.

    It ends where no replica has taken the call up for `seconds`, and after more than `losses` replicas that
    went away with it, one after the other, before any had answered a part: the call may be what ends them.
    """

    def __init__(self, seconds: float, losses: int) -> None:
        self._seconds = seconds
        self._losses = losses
        self._lost = 0
        # When the first replica was gone that nobody has taken over from yet.
        self._since: float | None = None
        self._is_taken_up = False

    def taken_up(self) -> None:
        """A replica says anything."""
        self._since = None
        self._is_taken_up = True

    def answered(self) -> None:
        """A part of the call is done, and need not be asked again."""
        self._lost = 0

    def is_over(self, now: float) -> bool:
        """The replica is gone, at `now` in seconds: whether no other one is to be asked."""
        self._lost += self._is_taken_up
        self._is_taken_up = False
        if self._since is None:
            self._since = now
        return self._lost > self._losses or now - self._since >= self._seconds
