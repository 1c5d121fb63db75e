"""URLs: what they mean, what is refused, and what a store tells of its objects."""

from __future__ import annotations

import io
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import DependencyError, InputError, MissingInputError, UsageError
from pipeline.settings import Settings
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import Known, Source, walk_sources, walk_unless_known
from pipeline.sources.objects import _url
from pipeline.sources.remote import ObjectReader, checked, is_url, local_path, moment_of, status_of

fsspec = pytest.importorskip("fsspec", reason="no fsspec here: pip install 'peerscope[remote]'")


def texts(*paths: str, settings: Settings | None = None) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for item in walk_sources(list(paths), settings or Settings()):
        found[item.path] = item.reason if isinstance(item, Refusal) else item.stream.read()
    return found


def test_what_a_url_is() -> None:
    assert [is_url(path) for path in ("s3://b/k", "memory://x", "C:/x", "a:b", "/x//y", "./s3:/x")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip
    assert local_path("file:///var/log/a%20b") == "/var/log/a b"
    assert local_path("/var/log") == "/var/log"
    with pytest.raises(UsageError, match="host"):
        local_path("file://other/var/log")


@pytest.mark.parametrize(
    "url",
    [
        "sftp://me:hunter2@host/logs",
        "s3://key:hunter2@bucket/logs",
        "s3://key:hunt/hunter2@bucket/logs",
        "s3://AKIAIOSFODNN7EXAMPLE@bucket/logs",
        "https://host/a.log?X-Amz-Signature=hunter2",
        "https://account.blob.core.windows.net/c/a.log?sv=1&sig=hunter2",
        "simplecache::s3://key:hunter2@bucket/logs",
    ],
)
def test_a_credential_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        texts(url)
    assert "hunter2" not in str(refused.value)
    assert "AKIA" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["s3://bucket/a@b:c", "abfs://box@account.dfs.core.windows.net/p", "hdfs://name:8020/x", "http://[::1]:80/x?day=1",
     "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/logs/x", "sftp://me@host/x"],
)  # fmt: skip
def test_other_urls_are_taken(url: str) -> None:
    assert checked(url) == url


def test_a_chain_of_urls_is_refused() -> None:
    with pytest.raises(UsageError, match="inside each other"):
        texts("simplecache::s3://bucket/logs")


@pytest.mark.parametrize(
    ("given", "name", "key", "url"),
    [
        ("s3://b", "b", "b/x", "s3://b/x"),
        ("s3://b/p/", "b/p", "b/p/x", "s3://b/p/x"),
        ("s3://b/**/n*/[ab].log", "b/**/n*/[ab].log", "b/q/n1/a.log", "s3://b/q/n1/a.log"),
        ("abfs://c@acc.net/p*", "c/p*", "c/p1/x", "abfs://c@acc.net/p1/x"),
        ("hdfs://nn:8020/a", "/a", "/a/b", "hdfs://nn:8020/a/b"),
        ("memory://", "", "/a", "memory:///a"),
    ],
)
def test_an_object_keeps_the_account_and_host_it_was_found_under(given: str, name: str, key: str, url: str) -> None:
    assert _url(given, name, key) == url


def test_objects_prefixes_and_globs(store: Any) -> None:
    for name in ("/logs/a.log", "/logs/deep/b.log", "/logs/.git/c.log", "/logs/x[1].log", "/other/d.log"):
        store.pipe_file(name, name.encode())
    assert texts("memory://logs") == {
        f"memory://logs{name}": f"/logs{name}".encode() for name in ("/a.log", "/deep/b.log", "/x[1].log")
    }
    assert texts("memory://logs/a.log", "memory://logs/*.log") == {
        "memory://logs/a.log": b"/logs/a.log",
        "memory://logs/x[1].log": b"/logs/x[1].log",
    }
    assert texts("memory://logs/x[1].log") == {"memory://logs/x[1].log": b"/logs/x[1].log"}
    assert list(texts("memory://*/deep")) == ["memory://logs/deep/b.log"]
    for nothing in ("memory://nowhere", "memory://logs/*.txt"):
        with pytest.raises(MissingInputError, match="check the URL"):
            texts(nothing)


def test_files_and_objects_in_one_run(store: Any, tmp_path: Path) -> None:
    store.pipe_file("/logs/a.log", b"object")
    file = tmp_path / "a b.log"
    file.write_bytes(b"file")
    url = file.as_uri()
    assert texts("memory://logs", url) == {str(file): b"file", "memory://logs/a.log": b"object"}
    with pytest.raises(MissingInputError):
        texts("memory://logs", str(tmp_path / "nothing"))


@pytest.mark.parametrize("item_bytes", [1 << 20, 64], ids=["whole", "stream"])
def test_archives_are_opened(item_bytes: int, store: Any) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for number in range(3):
            member = tarfile.TarInfo(f"nodes/n{number}/x.log")
            member.size = 1000
            tar.addfile(member, io.BytesIO(bytes([65 + number]) * 1000))
    store.pipe_file("/b/bundle.tgz", packed.getvalue())
    found = texts("memory://b", settings=Settings(item_bytes=item_bytes))
    assert found == {f"memory://b/bundle.tgz!nodes/n{n}/x.log": bytes([65 + n]) * 1000 for n in range(3)}


def test_an_object_that_cannot_be_fetched_is_refused_and_the_walk_goes_on(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.pipe_file("/logs/a.log", b"a")
    store.pipe_file("/logs/b.log", b"b")
    real = store.cat_file

    def broken(name: str, **place: Any) -> Any:
        if name == "/logs/a.log":
            raise RuntimeError("connection lost, password=hunter2")
        return real(name, **place)

    monkeypatch.setattr(store, "cat_file", broken)
    items = list(walk_sources(["memory://logs"], Settings()))
    assert [type(item) for item in items] == [Refusal, Source]
    assert isinstance(items[0], Refusal)
    assert "connection lost" in items[0].detail
    assert "hunter2" not in items[0].detail


def test_a_known_object_is_not_fetched(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.pipe_file("/logs/a.log", b"a")
    monkeypatch.setattr(store, "cat_file", lambda *_, **__: pytest.fail("fetched"))
    items = list(walk_unless_known(["memory://logs"], Settings(), lambda path, status: status.st_size == 1))
    assert [type(item) for item in items] == [Known]


def test_an_object_that_is_replaced_is_not_read_on(store: Any) -> None:
    store.pipe_file("/x", b"a" * (3 << 20))
    damage: list[str] = []
    status = status_of(store.info("/x"))
    stream = io.BufferedReader(ObjectReader("memory://x", 3 << 20, status, damage), 1000)
    assert stream.read(10) == b"a" * 10
    store.pipe_file("/x", b"b" * (3 << 20))
    store.store["/x"].created = datetime(2020, 1, 1, tzinfo=UTC)
    rest = stream.read()
    assert b"b" not in rest
    assert "changed while it was read" in damage[0]


def test_what_stores_tell_of_an_object() -> None:
    listed = status_of({"size": 3, "ETag": '"abc"', "LastModified": datetime(2024, 1, 1, 0, 0, 0, 120000, tzinfo=UTC)})
    alone = status_of({"size": 3, "ETag": '"abc"', "LastModified": datetime(2024, 1, 1, tzinfo=UTC)})
    assert listed == alone
    assert alone != status_of({"size": 3, "ETag": '"abd"', "LastModified": datetime(2024, 1, 1, tzinfo=UTC)})
    assert status_of({"size": 3}) is None
    assert status_of({"ETag": "x"}) is None
    for told in ("2024-01-01T00:00:00Z", "Mon, 01 Jan 2024 00:00:00 GMT", 1704067200, 1704067200.5):
        moment = moment_of({"mtime": told})
        assert moment is not None
        assert int(moment.timestamp()) == 1704067200
    assert moment_of({"mtime": "soon"}) is None


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="not known"):
        texts("nobodyknows://x")
    monkeypatch.setattr(fsspec, "get_filesystem_class", lambda _: (_ for _ in ()).throw(ImportError("x")))
    with pytest.raises(DependencyError, match="pip install gcsfs"):
        texts("gs://bucket/x")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(DependencyError, match=r"peerscope\[remote\]"):
        texts("s3://bucket/x")


def test_a_store_that_does_not_answer_is_an_error_of_the_input(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(store, "info", closed)
    with pytest.raises(InputError, match="Access Denied; credentials come from"):
        texts("memory://logs")
