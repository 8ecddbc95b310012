"""SageMaker's container: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html

Its training is ML/training/sagemaker.py.
"""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from ML.config.config import settings
from rest_api.http.routes import HotRoute
from rest_api.protocols.invocations import routes
from rest_api.protocols.protocol import Protocol, words

MOST_MB = 100
"""What all requests of a batch transform that are under way may have together."""
PAYLOAD_MB = 6

router = APIRouter(tags=["SageMaker"])
hot = APIRouter(route_class=HotRoute, tags=["SageMaker"])


class Error(BaseModel):
    """What is wrong, as boto3 shows it."""

    message: str


class Execution(BaseModel):
    """How a batch transform may ask."""

    MaxConcurrentTransforms: int
    BatchStrategy: str
    MaxPayloadInMB: int


router.add_api_route("/ping", routes.ping, summary="The default model can answer", response_class=Response)

# A real endpoint calls the first; boto3 with an endpoint_url the second, whose name is the endpoint's, not a model's.
for path in ("/invocations", "/endpoints/{endpoint}/invocations"):
    hot.add_api_route(
        path,
        routes.invoke,
        methods=["POST"],
        summary="Predict rows",
        responses=routes.ANSWERS,
        openapi_extra=routes.BODY,
    )


@router.get("/execution-parameters", summary="How a batch transform may ask")
async def execution() -> Execution:
    """Many rows in a request, and as many requests at once as there are workers."""
    payload = min(PAYLOAD_MB, settings().max_body_mb)
    most = min(settings().workers, MOST_MB // payload)
    return Execution(MaxConcurrentTransforms=most, BatchStrategy="MULTI_RECORD", MaxPayloadInMB=payload)


router.routes.extend(hot.routes)
protocol = Protocol("sagemaker", router, Error, lambda status, detail: {"message": words(detail)})
