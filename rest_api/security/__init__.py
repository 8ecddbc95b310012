"""Decides who may call what, before a byte of the body is read.

Others use: guard, access, page_headers.
"""
