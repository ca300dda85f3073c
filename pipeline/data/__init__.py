"""Readers of data sets, and how their images are split, normalised, cropped and flipped.

Imports settings.
"""
