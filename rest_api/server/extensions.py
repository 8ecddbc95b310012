"""The ASGI extensions that this server offers, as keys of `scope["extensions"]`."""

WHOLE = "fast_ml.whole"
"""`http.response.start` may have a `body`, and is then the whole answer. Hot requests only."""

SAME = "fast_ml.same_head"
"""A dict for what depends on the request's headers alone. A client that sends the same bytes again on its connection
finds the same dict. Hot requests only."""

CONNECTION = "fast_ml.connection"
"""A dict that lives as long as the connection, for what was learned about its client."""

LET_GO = "fast_ml.let_go"
"""A function to call when nobody keeps the body any more, long before the request is answered. Not for hot requests."""

HOLD = "fast_ml.hold"
"""A function that counts the bytes of a body that was unpacked among those that the worker keeps, until the request is
answered; it returns False if they are too many. For requests with a Content-Encoding only."""
