"""Clients that predict continuously during a test, on a new connection every 20 requests."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx
from server import PASSWORD, USER

Answers = list[tuple[int, Any]]
"""Status and body of each answer, in order of arrival."""


@contextmanager
def busy_callers(url: str, row: Mapping[str, Any], many: int = 2, password: str = PASSWORD) -> Iterator[Answers]:
    """Request predictions for a row until the end of the block. Yields the list of answers so far."""
    ended, answers = threading.Event(), Answers()

    def call() -> None:
        while not ended.is_set():
            with httpx.Client(base_url=url, auth=(USER, password), timeout=30) as client:
                for _ in range(20):
                    try:
                        answer = client.post("/predict", json={"instances": [row]})
                        answers.append((answer.status_code, answer.json()))
                    except (httpx.TransportError, ValueError) as error:
                        answers.append((0, repr(error)))
                    if ended.is_set():
                        return
                    time.sleep(0.02)  # leaves CPU time for a training

    threads = [threading.Thread(target=call) for _ in range(many)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def distinct_answers(answers: Answers) -> set[tuple[int, Any]]:
    """Return the distinct pairs of version and prediction. Fails if a request was not answered with 200."""
    assert answers and {status for status, _ in answers} == {200}, [each for each in answers if each[0] != 200][:3]
    return {(body["model_version"], *body["predictions"]) for _, body in answers}
