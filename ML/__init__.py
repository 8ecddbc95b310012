"""Trains, stores and loads models, and predicts with them.

Others use: the modules that the docstring of each wing names, `errors` and `config.config`.
"""
