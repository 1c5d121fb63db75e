"""Notices reach a receiver once, survive one that is busy, and say when an incident is over."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.errors import LockedError, NotifyError, UsageError, WarehouseError
from pipeline.notify import Notice, SentRecord, Webhook, payload, send
from pipeline.notify.record import RECORD_NAME
from pipeline.warehouse.publish import publish
from pipeline.warehouse.writer import Warehouse
from tests.warehouse.build import CLUSTER, build, derived

NOW = datetime(2024, 12, 18, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Receiver(ThreadingHTTPServer):
    """A webhook on localhost: answers from a list, remembers what came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.codes: list[int] = []
        self.headers: dict[str, str] = {}
        self.got: list[tuple[str, dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(self.server.codes.pop(0) if self.server.codes else 200)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def notice(name: str = "i1", cause: str = "md5_key_limit", ended: datetime | None = None, text: str = "x") -> Notice:
    return Notice(name, {"alertname": "a", "cause": cause}, {"summary": text}, NOW - HOUR, ended)


def ids(notices: list[Notice]) -> list[tuple[str, bool]]:
    return [(item.incident_id, item.is_over) for item in notices]


def test_a_notice_is_due_once(tmp_path: Path) -> None:
    with SentRecord(tmp_path, "u") as record:
        assert ids(record.due([notice()], NOW, None)) == [("i1", False)]
        record.keep([notice()], NOW)
    with SentRecord(tmp_path, "u") as record:
        assert record.due([notice()], NOW + 100 * HOUR, None) == []
        assert ids(record.due([notice(text="more")], NOW, None)) == [("i1", False)]
    with SentRecord(tmp_path, "another") as record:
        assert ids(record.due([notice()], NOW, None)) == [("i1", False)]


def test_an_end_is_told_once_and_never_for_what_was_not_told(tmp_path: Path) -> None:
    over = notice(ended=NOW)
    with SentRecord(tmp_path, "u") as record:
        assert record.due([over], NOW, None) == []
        record.keep([notice()], NOW)
        assert ids(record.due([over], NOW, None)) == [("i1", True)]
        record.keep([over], NOW)
        assert record.due([over], NOW, None) == []


def test_what_is_no_longer_found_is_told_as_ended(tmp_path: Path) -> None:
    with SentRecord(tmp_path, "u") as record:
        record.keep([notice()], NOW)
        gone = record.due([], NOW, None)
        assert ids(gone) == [("i1", True)]
        record.keep(gone, NOW)
        assert record.due([], NOW, None) == []
        record.keep([notice("i2")], NOW + timedelta(days=31))
        assert list(record.sent) == ["i2"], "the record does not grow for ever"


def test_another_cause_ends_the_old_alert_and_opens_a_new_one(tmp_path: Path) -> None:
    with SentRecord(tmp_path, "u") as record:
        record.keep([notice()], NOW)
        due = record.due([notice(cause="port_filtered")], NOW, None)
        assert [(item.labels["cause"], item.is_over) for item in due] == [
            ("md5_key_limit", True), ("port_filtered", False),
        ]  # fmt: skip


def test_alertmanager_hears_of_open_ones_again(tmp_path: Path) -> None:
    with SentRecord(tmp_path, "u") as record:
        record.keep([notice()], NOW)
        assert record.due([notice()], NOW + HOUR, 3 * HOUR) == []
        assert ids(record.due([notice()], NOW + 3 * HOUR, 3 * HOUR)) == [("i1", False)]


def test_two_at_once_do_not_tell_twice(tmp_path: Path) -> None:
    with SentRecord(tmp_path, "u"), pytest.raises(LockedError, match="another notify"), SentRecord(tmp_path, "v"):
        pass


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_record_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD_NAME).write_text(text)
    with pytest.raises(WarehouseError, match="remove it"), SentRecord(tmp_path, "u"):
        pass


def test_the_record_holds_no_address(tmp_path: Path) -> None:
    with SentRecord(tmp_path, "https://user:hunter2@host/T0KEN") as record:
        record.keep([notice()], NOW)
    assert "hunter2" not in (tmp_path / RECORD_NAME).read_text()
    assert "T0KEN" not in (tmp_path / RECORD_NAME).read_text()


def test_alerts_are_those_of_alertmanager_v2(receiver: Receiver) -> None:
    hook = Webhook(receiver.url, "alertmanager", token="t")
    send(hook, payload("alertmanager", [notice(), notice("i2", ended=NOW)], NOW, 6 * HOUR))
    path, headers, body = receiver.got[0]
    assert path == "/api/v2/alerts"
    assert headers["Authorization"] == "Bearer t"
    assert [set(alert) for alert in body] == [{"labels", "annotations", "startsAt", "endsAt"}] * 2
    assert body[0]["endsAt"] == "2024-12-18T18:00:00+00:00"
    assert body[1]["endsAt"] == "2024-12-18T12:00:00+00:00"


def test_a_busy_receiver_is_tried_again(receiver: Receiver) -> None:
    receiver.codes, receiver.headers = [503, 429], {"Retry-After": "7"}
    waits: list[float] = []
    assert send(Webhook(receiver.url), b"{}", waits.append) == 3
    assert waits == [7.0, 14.0]


def test_a_refusal_is_not_repeated(receiver: Receiver) -> None:
    receiver.codes = [403]
    with pytest.raises(NotifyError, match=r"127.0.0.1:\d+: refused the notice: 403"):
        send(Webhook(receiver.url), b"{}", lambda _: None)
    assert len(receiver.got) == 1


def test_a_redirect_is_a_refusal(receiver: Receiver) -> None:
    receiver.codes, receiver.headers = [302], {"Location": "http://127.0.0.1:1/"}
    with pytest.raises(NotifyError, match="302"):
        send(Webhook(receiver.url), b"{}", lambda _: None)


def test_a_receiver_that_is_away_is_given_up(receiver: Receiver) -> None:
    receiver.server_close()
    waits: list[float] = []
    with pytest.raises(NotifyError, match="after 3 attempts; the next run tries again"):
        send(Webhook(f"http://u:hunter2@127.0.0.1:{receiver.server_port}", attempts=3), b"{}", waits.append)
    assert waits == [1.0, 2.0]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/", "localhost:9093", "http://"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="http"):
        send(Webhook(url), b"{}")


def call(warehouse: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs", "--warehouse", str(warehouse), *words], capture_output=True, text=True
    )


def test_the_command_tells_once_and_then_the_end(tmp_path: Path, receiver: Receiver) -> None:
    build(tmp_path)
    first = call(tmp_path, "notify", "--webhook", receiver.url)
    assert first.returncode == 0, first.stderr
    assert "1 open and 0 ended incidents told" in first.stderr
    assert call(tmp_path, "notify", "--webhook", receiver.url).returncode == 0
    assert len(receiver.got) == 1
    told = receiver.got[0][2]["incidents"][0]
    assert (told["status"], told["labels"]["cause"]) == ("firing", "md5_key_limit")
    with Warehouse.open(tmp_path) as warehouse:
        found = derived()
        ended = found["incidents"].with_columns(ended_at=pl.col("started_at") + timedelta(hours=1))
        warehouse.replace_derived(CLUSTER, found | {"incidents": ended})
        publish(warehouse)
    assert call(tmp_path, "notify", "--webhook", receiver.url).returncode == 0
    assert receiver.got[1][2]["incidents"][0]["status"] == "resolved"


def test_what_could_not_be_sent_is_sent_by_the_next_run(tmp_path: Path, receiver: Receiver) -> None:
    build(tmp_path)
    receiver.codes = [400]
    assert call(tmp_path, "notify", "--webhook", receiver.url).returncode == 3
    assert call(tmp_path, "notify", "--webhook", receiver.url).returncode == 0
    assert len(receiver.got) == 2


def test_a_dry_run_sends_nothing(tmp_path: Path, receiver: Receiver) -> None:
    build(tmp_path)
    done = call(tmp_path, "notify", "--webhook", receiver.url, "--kind", "alertmanager", "--dry-run")
    assert json.loads(done.stdout)[0]["labels"]["alertname"] == "CalicoBgpIncident"
    assert not receiver.got
