"""The entry point for servers: `wsgi:app`."""

from rest_api.classifier_api import app

__all__ = ["app"]
