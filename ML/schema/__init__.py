"""What a model learned of its columns: checks and converts text cells, JSON values and tensors.

Others use: `schema`, `target`, `csv_rows`, `json_rows`, `json_values`, `json_size`, `cells`, and trainings
`schema_learning` and `target_learning`.
"""
