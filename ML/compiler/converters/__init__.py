"""Converters: for each class of scikit-learn, the function that appends nodes computing the same to a graph.

Others use: none; `compiler.compile` imports them.
"""
