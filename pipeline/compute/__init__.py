"""What a run computes on: device, precision, processes, CUDA graphs; the outputs of a network on many images, and
counts of what it predicts.

Imports settings and data.
"""
