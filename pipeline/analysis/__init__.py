"""From the files of runs to tables: measures, intervals, claims and verdicts.

Imports settings, reads files under reports/ and data/, and never torch.
"""
