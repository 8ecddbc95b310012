"""Training over HTTP: starts a training as a job in a process of its own, waits for it or reports that it continues.

Others use: `jobs`, `routes`, `views`.
"""
