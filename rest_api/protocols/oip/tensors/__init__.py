"""Tensors of the Open Inference Protocol: JSON or little-endian bytes to flat Python values, and back.

Others use: all modules but `json_elements`.
"""
