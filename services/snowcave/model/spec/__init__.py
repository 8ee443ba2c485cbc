"""The service specification: YAML text to a validated `ServiceSpec`, and what follows from one.

`parse` refuses with Snowflake's words (`SpecInvalid`), never with anything else. Nothing here knows the
catalog: that an image exists, or that a role may use it, is decided where a service is created.
"""

from snowcave.model.spec.canonical import canonical, described, digest
from snowcave.model.spec.images import ImagePath, parse_image
from snowcave.model.spec.parse import parse
from snowcave.model.spec.resources import (
    Need,
    Share,
    misfit,
    need_of,
    node_size,
    share_of,
    size_of,
)

__all__ = [
    "ImagePath",
    "Need",
    "Share",
    "canonical",
    "described",
    "digest",
    "misfit",
    "need_of",
    "node_size",
    "parse",
    "parse_image",
    "share_of",
    "size_of",
]
