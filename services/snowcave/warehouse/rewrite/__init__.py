"""Snowflake's meaning put into a statement before fakesnow translates it. Pure.

A module for each thing that is rewritten; what a session takes a statement through is gathered here.
"""

from snowcave.warehouse.rewrite.asking import ask_of_events
from snowcave.warehouse.rewrite.dialect import (
    call_the_clock,
    keep_exact,
    name_positions,
    quote_reserved,
    unquote_calls,
)
from snowcave.warehouse.rewrite.events import EventTable, name_events, narrow_events
from snowcave.warehouse.rewrite.file_formats import name_formats
from snowcave.warehouse.rewrite.headers import header, name_columns, select_items
from snowcave.warehouse.rewrite.reading import fill_variables, parse
from snowcave.warehouse.rewrite.result_scans import missing_result, take_result_scans
from snowcave.warehouse.rewrite.sequences import take_numbers
from snowcave.warehouse.rewrite.session_values import fill_context
from snowcave.warehouse.rewrite.tables import (
    TEMPORARY,
    bare_temporary,
    is_temporary,
    name_tables,
    place_of,
    qualify,
    tables_of,
)
from snowcave.warehouse.rewrite.variants import asks_for_types, compare_variants

__all__ = [
    "TEMPORARY",
    "EventTable",
    "ask_of_events",
    "asks_for_types",
    "bare_temporary",
    "call_the_clock",
    "compare_variants",
    "fill_context",
    "fill_variables",
    "header",
    "is_temporary",
    "keep_exact",
    "missing_result",
    "name_columns",
    "name_events",
    "name_formats",
    "name_positions",
    "name_tables",
    "narrow_events",
    "parse",
    "place_of",
    "qualify",
    "quote_reserved",
    "select_items",
    "tables_of",
    "take_numbers",
    "take_result_scans",
    "unquote_calls",
]
