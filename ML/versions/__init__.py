"""Models and their versions in the store: cards, files, which version is live, and which versions are kept.

Others use: all modules.
"""
