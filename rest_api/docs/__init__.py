"""The documentation that the server shows: the OpenAPI document and Swagger UI.

Others use: routes, documents.
"""
