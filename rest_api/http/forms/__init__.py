"""Reads forms: the parts of a multipart body and the parameters of its headers.

Others use: multipart, places.
"""
