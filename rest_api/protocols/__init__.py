"""Protocols of other platforms beside the API, each with its routes and the format of its errors.

The Open Inference Protocol (`oip`) and the `/invocations` of SageMaker and MLflow (`invocations`) have folders.

Others use: `enabled`, `protocol`.
"""
