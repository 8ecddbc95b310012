"""Trains versions: from a table to a published and scored model, in a process that can be watched and stopped.

Others use: `run`, `lock`, `fork_server`, `starting`, `process`, `failures`, `memory`, `estimators` and `stages.read`.
"""
