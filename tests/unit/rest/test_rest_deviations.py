"""Every reason for 501 stands in the list of differences."""

from pathlib import Path

from snowcave.api.rest.catalog import OPERATIONS

DEVIATIONS = Path(__file__).resolve().parents[3] / "docs/deviations.md"


def test_what_has_no_meaning_here_is_listed_with_its_reason():
    listed = DEVIATIONS.read_text()
    reasons = {one.meaningless for one in OPERATIONS if one.meaningless}
    assert len(reasons) == 8
    assert [reason for reason in reasons if f"| {reason} |" not in listed] == []
