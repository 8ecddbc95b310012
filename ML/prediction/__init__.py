"""A version in memory: predicts from converted rows, compiled or with scikit-learn.

Others use: `loading`, `predictor`, `answers`, and trainings `arrays`; the compiler also `onnx_session`.
"""
