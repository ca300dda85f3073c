"""What `make` runs and no stage does: the check, the comparison of bits, the README's tables.

Imports any room but reporting and transfer.
"""
