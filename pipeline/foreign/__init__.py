"""Weights that others trained: their files read under our names, and scored.

Imports settings, data, networks and compute. Apart from these, so that an edit here makes no training stale.
"""
