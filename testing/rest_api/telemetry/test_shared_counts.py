"""Workers share their counts in files: each sees all, and a new worker continues where its predecessor stopped."""

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from rest_api.telemetry import shared_counts
from rest_api.telemetry.families import CountsCollector
from rest_api.telemetry.shared_counts import QueueState, SharedCounts
from rest_api.telemetry.totals import Totals

EXPECTED = """\
# HELP fast_ml_requests_total Requests
# TYPE fast_ml_requests_total counter
fast_ml_requests_total{method="GET",route="/models",status="200"} 3.0
# HELP fast_ml_inference_seconds An inference and its parts
# TYPE fast_ml_inference_seconds histogram
fast_ml_inference_seconds_bucket{le="0.0001",model="m",part="fail"} 0.0
fast_ml_inference_seconds_bucket{le="0.001",model="m",part="fail"} 0.0
fast_ml_inference_seconds_bucket{le="0.01",model="m",part="fail"} 2.0
fast_ml_inference_seconds_bucket{le="0.1",model="m",part="fail"} 2.0
fast_ml_inference_seconds_bucket{le="1.0",model="m",part="fail"} 2.0
fast_ml_inference_seconds_bucket{le="10.0",model="m",part="fail"} 2.0
fast_ml_inference_seconds_bucket{le="+Inf",model="m",part="fail"} 3.0
fast_ml_inference_seconds_count{model="m",part="fail"} 3.0
fast_ml_inference_seconds_sum{model="m",part="fail"} 60.01
# HELP fast_ml_last_inference_timestamp_seconds When a model was last asked for an inference
# TYPE fast_ml_last_inference_timestamp_seconds gauge
fast_ml_last_inference_timestamp_seconds{model="m"} 7.0
# HELP fast_ml_queue_rows Rows that wait
# TYPE fast_ml_queue_rows gauge
fast_ml_queue_rows 5.0
# HELP fast_ml_queue_age_seconds Longest wait so far
# TYPE fast_ml_queue_age_seconds gauge
fast_ml_queue_age_seconds 0.5
"""


def counted(requests: int, latest: float, *seconds: float) -> Totals:
    totals = Totals()
    totals.counters["requests", "GET", "/models", "200"] = requests
    totals.histogram("inference", "m", "fail").extend(list(seconds))
    totals.latest["m"] = latest
    return totals


def text(counts: SharedCounts) -> str:
    registry = CollectorRegistry()
    registry.register(CountsCollector(counts.read))
    return generate_latest(registry).decode()


def test_every_worker_reports_the_sum_over_all(tmp_path: Path) -> None:
    first, second = SharedCounts(tmp_path, 0), SharedCounts(tmp_path, 1)
    first.add(counted(1, 7, 0.004, 0.006), QueueState(3, 0.5))
    second.add(counted(2, 6, 60), QueueState(2, 0.1))
    assert text(first) == text(second) == EXPECTED


def test_a_single_process_needs_no_folder() -> None:
    only = SharedCounts(None, 1)
    only.add(counted(3, 7, 0.004, 0.006, 60), QueueState(5, 0.5))
    assert text(only) == EXPECTED


def test_a_new_worker_continues_the_counts_of_its_predecessor(tmp_path: Path) -> None:
    SharedCounts(tmp_path, 0).add(counted(1, 7, 0.004), QueueState(3, 0.5))
    shared_counts.forget_queue(tmp_path, 0)
    successor = SharedCounts(tmp_path, 0)
    successor.add(counted(1, 8), QueueState())
    totals, queue = successor.read()
    assert totals.counters["requests", "GET", "/models", "200"] == 2
    assert totals.histograms["inference", "m", "fail"].buckets == [0, 0, 1, 0, 0, 0, 0]
    assert totals.latest == {"m": 8} and queue == QueueState()


def test_a_server_counts_from_zero(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("{}")
    SharedCounts(tmp_path, 0).add(counted(1, 7), QueueState())
    shared_counts.clear(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.json"]
