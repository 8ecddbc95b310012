"""The ASGI extensions of this server: keys of `scope["extensions"]`."""

WHOLE = "fast_ml.whole"
"""`http.response.start` may have a `body`, and is then the whole response. Hot requests only."""

CONNECTION = "fast_ml.connection"
"""A dict for results about the client, shared by all requests of a connection."""

LET_GO = "fast_ml.let_go"
"""A function to call when the body is no longer needed, if that is long before the response. Not for hot requests."""

HOLD = "fast_ml.hold"
"""A function that adds the bytes of a decompressed body to those that the worker holds, until the request is answered.
It returns False if they are too many. Only for requests with a Content-Encoding."""
