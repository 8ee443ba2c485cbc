"""The arguments of a function of the system, with their types checked."""

from dataclasses import dataclass

from snowcave.api.sql.tree import Literal
from snowcave.model.errors import ValueInvalid


@dataclass(frozen=True, slots=True)
class Arguments:
    """Positional arguments with their types checked; messages name the function."""

    function: str
    values: tuple[Literal, ...]

    def text(self, at: int, default: str | None = None) -> str:
        value = self.values[at] if at < len(self.values) else default
        if value is None:
            raise self.wrong(at)
        return str(value)

    def integer(self, at: int, default: int | None = None) -> int:
        value = self.values[at] if at < len(self.values) else default
        if isinstance(value, str) and value.strip().lstrip("-").isdigit() and len(value) < 18:
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(at)
        return value

    def boolean(self, at: int, default: bool) -> bool:
        value = self.values[at] if at < len(self.values) else default
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise self.wrong(at)
        return value

    def between(self, least: int, most: int) -> None:
        if not least <= len(self.values) <= most:
            word = "few" if len(self.values) < least else "many"
            raise ValueInvalid(
                f"SQL compilation error:\ntoo {word} arguments for function [{self.function}] "
                f"expected {least if word == 'few' else most}, got {len(self.values)}"
            )

    def wrong(self, at: int) -> ValueInvalid:
        return ValueInvalid(
            f"SQL compilation error:\nInvalid argument {at + 1} of function {self.function}."
        )
