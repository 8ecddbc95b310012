"""SageMaker's container: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html

Training on SageMaker is in ML/training/sagemaker.py.
"""

from fastapi import Response
from pydantic import BaseModel

from ML.config.config import settings
from rest_api.http.routes import Router
from rest_api.protocols.invocations import routes
from rest_api.protocols.protocol import Protocol, words

MAX_CONCURRENT_MB = 100
"""Maximum total size of the requests that a batch transform sends at the same time."""
MAX_PAYLOAD_MB = 6
"""Maximum size of one request."""

router = Router(tags=["SageMaker"])


class Error(BaseModel):
    """The body of an error, as boto3 shows it."""

    message: str


class Execution(BaseModel):
    """How a batch transform may send requests."""

    MaxConcurrentTransforms: int
    BatchStrategy: str
    MaxPayloadInMB: int


router.add_api_route("/ping", routes.ping, summary="The default model can predict", response_class=Response)


@router.get("/execution-parameters", summary="How a batch transform may send requests")
async def execution() -> Execution:
    """Many rows in each request, and as many concurrent requests as there are workers."""
    payload = min(MAX_PAYLOAD_MB, settings().max_body_mb)
    most = min(settings().workers, MAX_CONCURRENT_MB // payload)
    return Execution(MaxConcurrentTransforms=most, BatchStrategy="MULTI_RECORD", MaxPayloadInMB=payload)


# SageMaker calls the first path. boto3 with an endpoint_url calls the second, with the name of the endpoint, which is
# not a model's.
for path in ("/invocations", "/endpoints/{endpoint}/invocations"):
    router.hot_post(path, summary="Predict rows", responses=routes.ANSWERS, openapi_extra=routes.BODY)(routes.invoke)

protocol = Protocol("sagemaker", router, Error, lambda status, detail: {"message": words(detail)})
