"""Our trained networks for others to use: their weights as dvc.lock records them, images in, classes out, and a card.

Imports settings, compute and networks. predict.py, hubconf.py and tools use it; no stage does.
"""
