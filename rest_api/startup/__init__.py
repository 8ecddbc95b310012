"""What a start checks and prints: whether its addresses are free, where it listens, which commands to try.

Others use: nothing here; `gunicorn/gunicorn-config.py` calls `addresses` and `banner`.
"""
