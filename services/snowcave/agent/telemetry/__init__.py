"""Metrics and traces: what the platform measures of containers, and what containers send of themselves."""
