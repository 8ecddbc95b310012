"""`/metrics`: the counts of all workers in Prometheus' text format."""

import asyncio
import os
from functools import cache

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest

from rest_api.telemetry import counts as worker_counts
from rest_api.telemetry import shared_counts
from rest_api.telemetry.families import CountsCollector, ModelsCollector
from rest_api.telemetry.shared_counts import SharedCounts

router = APIRouter(tags=["health"])

_number: int | None = None


def use_number(number: int) -> None:
    """Count in the files of the worker with this number. To be called after the fork, before the first request."""
    global _number
    _number = number


@cache
def shared() -> SharedCounts:
    """Return the counts that this worker shares with the others. Workers without a number are known by their pid."""
    return SharedCounts(shared_counts.folder(), os.getpid() if _number is None else _number)


def counts() -> CountsCollector:
    """Return a collector of the counts of all workers since the server's start."""
    return CountsCollector(lambda: shared().read())


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}, summary="Prometheus")
async def show() -> Response:
    """Counts of all workers since the start, in Prometheus' text format."""
    worker_counts.flush()
    return Response(await asyncio.to_thread(_text), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _text() -> bytes:
    registry = CollectorRegistry()
    registry.register(counts())
    registry.register(ModelsCollector())
    return generate_latest(registry)
