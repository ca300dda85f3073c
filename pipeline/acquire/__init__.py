"""Fetching and generating data sets, for the stages that write them.

Imports settings and data.
"""
