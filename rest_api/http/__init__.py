"""Reads requests and writes answers: bodies, forms, encodings, errors, and the two kinds of routes.

Others use: all.
"""
