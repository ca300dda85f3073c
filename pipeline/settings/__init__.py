"""What decides a run: params.yaml, an entry under its `arch`, data sets by name, the learning rate's schedule.

Imports stage.py and no other room.
"""
