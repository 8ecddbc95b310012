"""What gunicorn runs: the worker, its connections and their limits, the exchange of one request and answer.

Others use: worker, extensions.
"""
