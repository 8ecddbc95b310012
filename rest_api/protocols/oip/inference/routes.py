"""The routes that predict from tensors, in JSON or in the binary extension of Triton."""

from fastapi import Request, Response

from ML.config.config import settings
from ML.errors import Invalid
from ML.prediction.answers import Answer
from rest_api.http import bodies, encodings, work
from rest_api.http.content_types import WrongContentType
from rest_api.http.responses import Json
from rest_api.http.routes import Router
from rest_api.predictions import answering
from rest_api.protocols.oip import live_version, model_signature
from rest_api.protocols.oip.documents import ANSWER, BODY
from rest_api.protocols.oip.inference import request as infer_request
from rest_api.protocols.oip.inference import response as infer_response
from rest_api.protocols.oip.inference.request import InferRequest
from rest_api.protocols.oip.inference.timer import InferenceTimer
from rest_api.protocols.oip.model_signature import ModelSignature

router = Router(tags=["Open Inference Protocol v2"])

JSON_SIZE = b"inference-header-content-length"
TYPES = (b"", b"application/json", b"application/octet-stream")


@router.hot_post("/v2/models/{model}/infer", summary="Predict with a model", responses=ANSWER, openapi_extra=BODY)
@router.hot_post(
    "/v2/models/{model}/versions/{version}/infer", summary="The same", responses=ANSWER, openapi_extra=BODY
)
async def infer(request: Request) -> Response:
    """One input for each column, or one matrix with all columns in order."""
    path = request.path_params
    live = await live_version.take(request, path["model"], path.get("version"))
    with InferenceTimer(live) as timer:
        request.app.batches.check(live)
        size, accept = _headers(request)
        body = await bodies.read(request)
        timer.restart()
        signature = model_signature.of(live)
        parsed = await work.run(len(body), infer_request.parse, signature, body, size, settings().max_rows)
        timer.mark()
        answer = await answering.predict(request, live, parsed.columns, parsed.rows, parsed.probabilities)
        timer.mark()
        return await work.run(len(body), _response, signature, parsed, answer, encodings.accepted(accept))


def _headers(request: Request) -> tuple[int | None, bytes]:
    """Return the size of the JSON in bytes if binary data follows it, and the Accept-Encoding header.

    Raise WrongContentType and Invalid.
    """
    size, accept = None, b""
    for name, value in request.scope["headers"]:
        if name == b"accept-encoding":
            accept = value
        elif name == b"content-type" and value.partition(b";")[0].strip().lower() not in TYPES:
            message = f"{request.scope['path']} takes application/json or application/octet-stream"
            raise WrongContentType(f"{message}, not {value.decode('latin-1')}; set the Content-Type header")
        elif name == JSON_SIZE:
            if not value.isdigit() or len(value) > 12:
                message = "Inference-Header-Content-Length is the length of the JSON in bytes"
                raise Invalid.at(msg=message, input=value, type="int_parsing")
            size = int(value)
    return size, accept


def _response(signature: ModelSignature, parsed: InferRequest, answer: Answer, encoding: bytes) -> Response:
    body, json_size = infer_response.render(signature, parsed, answer)
    headers, content_type = [], b"application/json"
    if encoding and len(body) >= encodings.MIN_COMPRESSED_BYTES:
        body = encodings.compress(body, encoding)
        headers = [(b"content-encoding", encoding), (b"vary", b"accept-encoding")]
    if json_size is not None:
        content_type = b"application/octet-stream"
        headers.append((JSON_SIZE, b"%d" % json_size))
    return Json(body, content_type, headers)
