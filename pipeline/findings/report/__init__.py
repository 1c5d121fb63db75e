"""Reports of what was found, from the published snapshot alone."""

from __future__ import annotations

import json
from collections.abc import Callable

from pipeline.errors import UsageError
from pipeline.findings.report.build import build_report
from pipeline.findings.report.html import render_html
from pipeline.findings.report.markdown import render_markdown
from pipeline.findings.report.model import FAIL_LEVELS, Report, as_plain
from pipeline.findings.report.prometheus import render_prometheus
from pipeline.findings.report.text import render_text

__all__ = ["FAIL_LEVELS", "RENDERERS", "Report", "build_report", "render"]


def render_json(report: Report) -> str:
    """The whole report as one JSON object; times are ISO 8601 in UTC."""
    return json.dumps(as_plain(report), indent=2, sort_keys=False)


RENDERERS: dict[str, Callable[[Report], str]] = {
    "text": render_text,
    "markdown": render_markdown,
    "html": render_html,
    "json": render_json,
    "prometheus": render_prometheus,
}


def render(report: Report, form: str) -> str:
    """The report in one of the forms of ``RENDERERS``.

    Raises:
        UsageError: there is no such form.
    """
    if form not in RENDERERS:
        raise UsageError(f"--format {form}: the report can be had as {', '.join(RENDERERS)}")
    return RENDERERS[form](report)
