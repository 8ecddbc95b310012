"""HTTP/1.1 messages (RFC 9112): what a request must look like, the scope made from it, and responses as bytes.

Others use: nothing; only the modules of rest_api.server do.
"""
