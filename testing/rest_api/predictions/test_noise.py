"""Random bytes sent to the real server are refused with a message and the right status."""

import gzip
import json

from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

UPLOADS = (
    st.binary(max_size=200)
    | st.text(max_size=100).map(str.encode)
    | st.text(',;"\n\rab1é🙂|\t', max_size=200).map(str.encode)
    | st.binary(max_size=50).map(lambda data: b"\x1f\x8b" + data)
    | st.binary(max_size=50).map(gzip.compress)
)
KEYS = st.sampled_from(["instances", "parameters", "sepal_length", "a"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
BODIES = (
    st.binary(max_size=60)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.text(max_size=20).map(lambda text: f'{{"instances": [{text}]}}'.encode())
    | VALUES.map(lambda value: json.dumps({"instances": [value], "parameters": value}).encode())
)


@examples(300, 25)
@given(UPLOADS)
def test_no_upload_makes_the_server_fail(server, data):
    for answer in (server.train(data, "a"), server.predict_csv(data)):
        assert answer.status_code in (413, 422), (answer.status_code, answer.text)
        assert answer.json()["detail"]


@examples(300, 25)
@given(BODIES)
def test_no_json_body_makes_the_server_fail(server, body):
    answer = server.client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422 and answer.json()["detail"], (answer.status_code, answer.text)
