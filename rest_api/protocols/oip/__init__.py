"""The Open Inference Protocol, version 2: tensors in JSON or binary to rows, and predictions to tensors.

Others use: `routes`, `model_signature`.
"""
