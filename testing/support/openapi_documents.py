"""Print the OpenAPI documents for all subsets of PROTOCOLS, each with none, one or all of them open. One per line."""

import json
import os
from itertools import combinations

from ML.config.config import settings
from ML.config.setting_types import PROTOCOLS
from rest_api import classifier_api
from rest_api.application import create_app
from rest_api.docs import openapi
from rest_api.protocols import enabled

ROUTES = {"AIP_HEALTH_ROUTE": "/vertex/health", "AIP_PREDICT_ROUTE": "/vertex:predict"}


def main() -> None:
    for size in range(len(PROTOCOLS) + 1):
        for chosen in combinations(PROTOCOLS, size):
            for opened in {(), chosen}:
                print(json.dumps(document(chosen, opened, **ROUTES)))
    for name in PROTOCOLS:
        print(json.dumps(document(PROTOCOLS, (name,), **ROUTES)))
    print(json.dumps(document(PROTOCOLS, PROTOCOLS)))


def document(chosen: tuple[str, ...], opened: tuple[str, ...], **others: str) -> dict[str, object]:
    """Return the settings and the document of an app with these settings."""
    for name in ROUTES:
        os.environ.pop(name, None)
    given = {"PROTOCOLS": ",".join(chosen) or "none", "OPEN_PROTOCOLS": ",".join(opened), **others}
    os.environ.update(given)
    settings.cache_clear()
    enabled.protocols.cache_clear()
    api = classifier_api
    app = create_app(api.trainings, api.hot, api.models, api.health)
    return {"settings": given, "document": openapi.build(app, [], "", learned=False)}


main()
