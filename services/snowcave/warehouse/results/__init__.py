"""Rows that outlive their statement, and rows that wait for it."""
