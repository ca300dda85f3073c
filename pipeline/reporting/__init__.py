"""The report and the checklist: figures, tables as HTML, sections, the notebook of study A.

Imports settings and analysis, reads files that aggregate wrote.
"""
