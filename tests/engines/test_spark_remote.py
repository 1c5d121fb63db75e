"""Spark over an object store, and through Spark Connect: the same rows as the local engine over files."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline import steps
from pipeline.engines import spark
from pipeline.engines.parts import Parsed
from pipeline.engines.staging import LocalStaging, RemoteStaging, new_staging, staging_at
from pipeline.errors import DependencyError, UsageError
from pipeline.sources.identify import Identity
from pipeline.warehouse.writer import Warehouse
from tests.engines.corpus import write_hard_corpus
from tests.engines.store import s3_bucket
from tests.engines.test_chunks import HARD, QUESTIONS, check_same, told
from tests.engines.test_remote import placed

# one server for all of them
pytestmark = pytest.mark.xdist_group("spark-remote")
CHOSEN = replace(HARD, item_bytes=100_000, processes=1, unfinished_seconds=0)


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    yield from s3_bucket("spark")


@pytest.fixture(scope="module")
def java() -> None:
    pytest.importorskip("pyspark", reason="no pyspark here: pip install 'peerscope[spark]'")
    if shutil.which("java") is None:
        pytest.skip("no Java here: apt install openjdk-17-jre-headless")


@pytest.fixture(scope="module")
def hard(bucket: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus in a folder, and in the bucket."""
    folder = write_hard_corpus(tmp_path_factory.mktemp("hard"), 200)
    for path in folder.rglob("*"):
        if path.is_file():
            bucket.upload_file(str(path), "spark", f"hard/{path.relative_to(folder)}")
    return folder


@pytest.fixture(scope="module")
def connect(java: None, bucket: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Spark Connect server on this machine; its executors inherit the environment of the store."""
    pytest.importorskip("grpc", reason="no grpcio here: pip install 'peerscope[spark]'")
    import pyspark

    home = Path(pyspark.__file__).parent
    if not list((home / "jars").glob("spark-connect_*.jar")):
        pytest.skip("this pyspark has no Spark Connect server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [str(home / "bin" / "spark-submit"), "--master", "local[2,4]"]
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
    }.items():
        words += ["--conf", f"{name}={value}"]
    words += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    log = tmp_path_factory.mktemp("connect") / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(words, env=environment, stdout=out, stderr=out, cwd=log.parent)
        try:
            for _ in range(600):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert server.poll() is None, log.read_text(errors="replace")[-2000:]
                    time.sleep(0.2)
            yield f"sc://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


def told_by_spark(folder: Path, master: str, staging: str) -> dict[str, list[tuple[Any, ...]]]:
    """What a warehouse holds after a run of the command over the bucket, in a process of its own."""
    values = {name: getattr(CHOSEN, name) for name in ("item_bytes", "record_bytes", "neighbour_bytes", "line_bytes")}
    values |= {"unfinished_seconds": 0, "spark_staging": staging}
    environment = {**os.environ, **{f"PEERSCOPE_{name.upper()}": str(value) for name, value in values.items()}}
    words = ["--warehouse", str(folder), "run", "--cluster", "c", "--engine", "spark", "--spark-master", master]
    done = subprocess.run(
        [sys.executable, "-m", "jobs", *words, "s3://spark/hard"],
        env={**environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with Warehouse.open(folder) as warehouse:
        steps.mine(warehouse, CHOSEN)
        return {name: warehouse.connection.sql(query).fetchall() for name, query in QUESTIONS.items()}


@pytest.mark.spark
def test_input_and_staging_in_a_store(java: None, bucket: Any, hard: Path, tmp_path: Path) -> None:
    stored = told_by_spark(tmp_path / "w", "local[2]", "s3://spark/staging")
    check_same(placed(told(tmp_path / "local", [hard], CHOSEN), str(hard)), placed(stored, "s3://spark/hard"))
    assert not bucket.list_objects_v2(Bucket="spark", Prefix="staging/").get("Contents"), "something was left behind"


@pytest.mark.spark
@pytest.mark.parametrize("where", ["folder", "store"])
def test_spark_connect(where: str, connect: str, hard: Path, tmp_path: Path) -> None:
    staging = "s3://spark/staging" if where == "store" else str(tmp_path / "staging")
    stored = told_by_spark(tmp_path / "w", connect, staging)
    check_same(placed(told(tmp_path / "local", [hard], CHOSEN), str(hard)), placed(stored, "s3://spark/hard"))


def test_a_server_that_does_not_answer_is_told_without_its_token() -> None:
    pytest.importorskip("pyspark", reason="no pyspark here: pip install 'peerscope[spark]'")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(UsageError, match=rf"sc://127.0.0.1:{port}: no Spark Connect server answers") as told_so:
        spark.start_session(f"sc://127.0.0.1:{port}/;token=hunter2", {})
    assert "hunter2" not in str(told_so.value)


def test_without_grpc_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark", reason="no pyspark here: pip install 'peerscope[spark]'")
    for name in [name for name in sys.modules if name.partition(".")[0] == "grpc"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grpc", None)
    # pyspark takes a program without a file, as the processes of pytest-xdist are, for its own doctests and ends it
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)
    for name in [name for name in sys.modules if name.startswith("pyspark.sql.connect")]:
        monkeypatch.delitem(sys.modules, name)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(DependencyError, match=r"peerscope\[spark\]"):
        spark.start_session(f"sc://127.0.0.1:{server.getsockname()[1]}", {})


def test_an_executor_without_peerscope_is_told() -> None:
    lines = ["[PYTHON_EXCEPTION] An exception", "  File x", "ModuleNotFoundError: No module named 'pipeline'", "JVM:"]
    assert "install peerscope where the executors run" in spark._cause(Exception("\n".join(lines)))
    assert spark._cause(Exception("")) == "Exception"
    assert spark._cause(Exception("lost executor 3")) == "lost executor 3"


def test_facts_in_a_store_are_those_in_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="no fsspec here: pip install 'peerscope[remote]'")
    parsed = Parsed({"tally": pl.DataFrame({"lines_read": [3]})}, {4: Identity("log", "cri", "why", ("cri",))})
    for staging in (LocalStaging(tmp_path), RemoteStaging("memory://staging/load-1")):
        staging.put("settings", b"x")
        staging.write(parsed, "0")
        staging.write(parsed, "0")
        there = staging_at(staging.place)
        assert there.get("settings") == b"x"
        assert there.read("0").frames["tally"].equals(parsed.frames["tally"])
        assert there.read("0").identities == parsed.identities
        staging.remove()
        with pytest.raises(OSError):
            there.get("settings")


def test_a_staging_folder_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    for url, why in (("memory://x", "other processes"), ("s3://me:hunter2@bucket/x", "holds a password")):
        with pytest.raises(UsageError, match=why):
            new_staging(url)
    assert new_staging(tmp_path.as_uri()).place.startswith(str(tmp_path))
