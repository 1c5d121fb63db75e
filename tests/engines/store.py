"""An S3 server on this machine, for tests; its address and credentials come by the environment alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

SECRET = "hunter2"


def s3_bucket(name: str) -> Iterator[Any]:
    """A client of a server with one bucket, with the environment set for this process and its children."""
    pytest.importorskip("s3fs", reason="no s3fs here: pip install 'peerscope[remote]'")
    server = pytest.importorskip("moto.server", reason="no moto here: see the group dev of pyproject.toml")
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()  # one of an earlier test speaks to another server
    boto3 = pytest.importorskip("boto3")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        }.items():
            patch.setenv(variable, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket=name)
        yield client
    S3FileSystem.clear_instance_cache()
    running.stop()
