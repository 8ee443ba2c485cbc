"""Renders one template and ends: run as a program, with limits that the system enforces.

stdin: JSON {"template", "values", "longest", "memory", "cpu"}. stdout: JSON {"text"} or {"error"}. A template
is a program of whoever may create a service; here it has a sandbox, a bound on memory and on time, and no way
to the daemon's memory.
"""

import json
import resource
import sys
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, Undefined
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from snowcave.model.spec.values import written


def main() -> None:
    task = json.load(sys.stdin)
    limit(task)
    try:
        answer = {"text": render(task["template"], task["values"], task["longest"])}
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        kind = type(error).__name__
        where = f" (line {line})" if line else ""
        answer = {"error": f"{kind}: {error.message or kind}{where}"}
    except RecursionError:
        answer = {"error": "the template is nested too deeply."}
    except MemoryError:
        answer = {"error": "the template needs too much memory."}
    except Exception as error:
        # Whatever an expression of the template raises is the template's error.
        answer = {"error": f"{type(error).__name__}: {error}"[:1000]}
    json.dump(answer, sys.stdout)


def limit(task: dict[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (task["memory"], task["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (task["cpu"], task["cpu"]))
    # Neither files to write nor further processes.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def render(template: str, values: dict[str, Any], longest: int) -> str:
    environment = ImmutableSandboxedEnvironment(
        loader=BaseLoader(),
        undefined=StrictUndefined,
        finalize=finalized,
        keep_trailing_newline=True,
        autoescape=False,
    )
    parts: list[str] = []
    length = 0
    for part in environment.from_string(template).generate(**values):
        length += len(part)
        if length > longest:
            raise TemplateError(f"the specification would be longer than {longest} characters.")
        parts.append(part)
    return "".join(parts)


def finalized(value: object) -> object:
    if isinstance(value, Undefined):
        return value
    return written(value)


if __name__ == "__main__":
    main()
