"""`/invocations` of SageMaker and MLflow: rows as JSON, JSON Lines, CSV or NumPy arrays, and predictions alike.

Others use: `routes`, `dataframes`.
"""
