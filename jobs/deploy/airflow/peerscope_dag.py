"""Airflow: the steps of a run as tasks, one at a time; each is safe to repeat. Exit code 4 (held) is retried."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow import DAG  # type: ignore[import-not-found]
from airflow.providers.standard.operators.bash import BashOperator  # type: ignore[import-not-found]

STEPS = {
    "ingest": "ingest --cluster {{ var.value.peerscope_cluster }} {{ var.value.peerscope_logs }}",
    "mine": "mine",
    "analyze": "analyze",
    "publish": "publish",
    "tell": "notify --webhook {{ var.value.peerscope_webhook }} --kind alertmanager",
}

with DAG(
    dag_id="peerscope",
    schedule="*/5 * * * *",
    start_date=datetime(2024, 1, 1),  # noqa: DTZ001 - Airflow reads it in the DAG's own zone, UTC
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
) as dag:
    before = None
    for name, words in STEPS.items():
        task = BashOperator(task_id=name, bash_command=f"peerscope --warehouse /var/lib/peerscope {words}")
        if before is not None:
            before >> task
        before = task
