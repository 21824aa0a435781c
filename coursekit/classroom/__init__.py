"""Handing exercises out and grading what comes back.

`student` takes the solutions out of a notebook; `grade` runs what students hand in, shut in, and
compares their results with the reference outside of the kernel. Nothing here imports a model.
"""
