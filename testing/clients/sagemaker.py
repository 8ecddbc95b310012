"""boto3's sagemaker-runtime: python sagemaker.py URL REQUESTS, a list of [ContentType, Accept or null, Body]"""

import json
import sys

import boto3  # type: ignore[import-not-found]
from botocore.exceptions import ClientError  # type: ignore[import-not-found]


def main(url: str, requests: str) -> None:
    client = boto3.client(
        "sagemaker-runtime",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )
    found = []
    for kind, accept, body in json.loads(requests):
        asked = {"ContentType": kind, "Body": body.encode()} | ({"Accept": accept} if accept else {})
        try:
            answer = client.invoke_endpoint(EndpointName="any-endpoint", **asked)
            found.append([answer["ContentType"], answer["Body"].read().decode()])
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            found.append([status, error.response["Error"]["Message"]])
    print(json.dumps(found))


main(*sys.argv[1:])
