"""A training step, the epochs around it, and checkpoints to go on from. train.py makes the optimiser.

Imports settings, data and compute.
"""
