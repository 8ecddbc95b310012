"""The stages of a training, in the order that callers see: each takes a job and returns it with its result added.

Others use: `sequence` to run them all, `read` to check an upload, `gaps` for models fitted outside a training.
"""
