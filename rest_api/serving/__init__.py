"""Predicts rows with the live version in this worker: loads it, batches the requests, refuses those that would be late.

Others use: `live_models`, `batches`, `job`, `call_time`.
"""
