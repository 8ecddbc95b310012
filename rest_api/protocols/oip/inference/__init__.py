"""Inference in the Open Inference Protocol: from the body of a request to that of its response.

Others use: `routes`.
"""
