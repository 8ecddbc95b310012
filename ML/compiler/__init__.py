"""Turns a fitted model into an ONNX graph, proves that it predicts alike, and decides whether it pays off.

Others use: `compile`. No server imports it.
"""
