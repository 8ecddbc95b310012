"""From the body of a prediction request to its answer: one module for each kind of body.

Others use: `answering`, `json_body`, `csv_form`.
"""
