"""What a run computes on: device, precision, processes, CUDA graphs; and the outputs of a network on many images.

Imports settings and data.
"""
