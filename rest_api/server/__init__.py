"""The HTTP server that gunicorn runs: the worker, its connections and their limits, and the exchanges on them.

Others use: worker, extensions.
"""
