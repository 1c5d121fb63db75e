"""Metrics in Prometheus' text format, and a job's own records in OpenTelemetry's names."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pipeline.findings.report import build_report, render
from pipeline.findings.report.prometheus import METRICS
from pipeline.warehouse.reader import open_snapshot
from tests.notify.test_notify import call
from tests.warehouse.build import build

SAMPLE = re.compile(r'^([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*)\} (-?[0-9.e+-]+|NaN)$')


def metrics(directory: Path) -> str:
    with open_snapshot(build(directory)) as snapshot:
        return render(build_report(snapshot), "prometheus")


def test_every_line_is_a_sample_with_help_and_type(tmp_path: Path) -> None:
    text = metrics(tmp_path)
    seen: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            seen.add(line.split()[2])
            continue
        if line.startswith("# TYPE "):
            assert line.split()[2] in seen
            continue
        match = SAMPLE.match(line)
        assert match, line
        assert match[1] in seen
    assert seen == set(METRICS)
    assert text.endswith("\n")


def test_numbers_are_those_of_the_report(tmp_path: Path) -> None:
    text = metrics(tmp_path)
    assert re.search(r'peerscope_incidents_open\{cluster="prod",group="rr",.*cause="md5_key_limit".*\} 1\n', text)
    assert 'kind="read"} 9\n' in text
    assert 'kind="rejected"} 1\n' in text


def test_names_cannot_break_a_line() -> None:
    from pipeline.findings.report.prometheus import _family

    line = _family("x", "about", [({"cluster": 'a"b\\c\nd'}, 1.0)]).splitlines()[2]
    assert line == 'x{cluster="a\\"b\\\\c\\nd"} 1'


def test_the_command_prints_them(tmp_path: Path) -> None:
    build(tmp_path)
    done = call(tmp_path, "report", "--format", "prometheus")
    assert done.stdout.startswith("# HELP peerscope_")


def test_records_of_a_run_have_opentelemetry_names(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("2024-12-18T07:19:36.1Z stdout F bird: Mesh_10_0_0_12: State changed to up\n")
    done = call(tmp_path / "w", "--log-format", "json", "run", str(log), "--format", "json")
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    records = [json.loads(line) for line in done.stderr.splitlines()]
    for record in records:
        assert set(record) == {"timestamp", "severity_text", "severity_number", "body", "resource", "attributes"}
        assert record["resource"]["service.name"] == "peerscope"
    assert records[-1]["body"] == "finished"
    assert records[-1]["attributes"]["process.exit.code"] == 0


def test_an_error_is_a_record_too(tmp_path: Path) -> None:
    done = call(tmp_path, "--log-format", "json", "report")
    records = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 3
    assert records[0]["severity_text"] == "ERROR"
    assert "nothing is published" in records[0]["body"]
    assert records[-1]["attributes"]["process.exit.code"] == 3


def test_an_unknown_form_is_refused(tmp_path: Path) -> None:
    assert call(tmp_path, "--log-format", "xml", "status").returncode == 2
