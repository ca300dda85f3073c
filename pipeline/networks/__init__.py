"""Blocks, networks built from their description, and their weights as files.

Imports settings.
"""
