"""What study B alone needs: its photographs, the weights that its networks start from, sizes of the family.

Imports settings, data, acquire, networks and foreign.
"""
