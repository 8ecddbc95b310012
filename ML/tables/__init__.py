"""Reads an uploaded CSV file, plain or gzip'd, as columns of text cells.

Others use: all modules.
"""
