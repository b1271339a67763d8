"""Tabular: a number of a row from its texts, categories, numbers and time."""
