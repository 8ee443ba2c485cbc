"""How many rows of arguments go into one message. Pure."""

from snowcave.warehouse.settings import CallSettings


class MessageRows:
    """Few where answers are long: those of one message are held together, here and by the router."""

    def __init__(self, settings: CallSettings) -> None:
        self._settings = settings
        self._most = min(settings.first_rows, settings.batch_rows)

    @property
    def most(self) -> int:
        """Of the next message."""
        return self._most

    def answered(self, rows: int, size: int) -> None:
        """A message of so many rows has had answers of `size` bytes."""
        if rows:
            fitting = self._settings.answer_bytes * rows // max(1, size)
            self._most = min(max(1, fitting), self._settings.batch_rows)
