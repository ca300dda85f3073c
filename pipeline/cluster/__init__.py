"""Several runs of a grid at once, on this machine or on many: Ray, which only `make repro` and `make study` need.

Imports settings and compute.
"""
