"""The local engine: sources of one run, parsed by processes side by side and loaded in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.engines.archive import Archive, recover
from pipeline.engines.collect import InputOptions, Summary
from pipeline.engines.content import Content, content_id, read_content
from pipeline.engines.desk import Desk
from pipeline.engines.handout import Parsers
from pipeline.engines.processes import Ahead, processes_of
from pipeline.engines.reading import Reading
from pipeline.engines.workers import Workers
from pipeline.errors import MissingInputError
from pipeline.grammar import grammar_version
from pipeline.settings import Settings
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import Known, walk_unless_known
from pipeline.warehouse.files import FileMemory
from pipeline.warehouse.writer import Warehouse

__all__ = ["Content", "InputOptions", "Progress", "Summary", "content_id", "ingest", "read_content"]
Progress = Callable[[str], None]


def ingest(
    warehouse: Warehouse,
    paths: Sequence[str],
    options: InputOptions,
    settings: Settings,
    progress: Progress = lambda _: None,
    ahead: Ahead | None = None,
) -> Summary:
    """Read the paths into the warehouse: all of it in one transaction, known contents skipped.

    ``ahead`` has parsing processes that were started before.

    Raises:
        MissingInputError: nothing could be read at all.
    """
    workers = Workers(processes_of(settings), settings, ahead)
    return ingest_with(warehouse, paths, options, settings, workers, "local", progress)


def ingest_with(
    warehouse: Warehouse,
    paths: Sequence[str],
    options: InputOptions,
    settings: Settings,
    workers: Parsers,
    engine: str,
    progress: Progress = lambda _: None,
) -> Summary:
    """The same, with the parsing done by ``workers``, which are closed at the end."""
    summary = Summary()
    memory = FileMemory(warehouse.connection)
    load = warehouse.load(
        cluster=options.cluster,
        engine=engine,
        ruleset_version=grammar_version(),
        examples=settings.template_examples,
    )
    recover(warehouse.directory, warehouse.load_ids())
    archive = None
    try:
        with load:
            archive = Archive(warehouse.directory, options.cluster, load.load_id) if options.archive else None
            desk = Desk(load, warehouse.known_sources(), memory, workers, options, settings, summary, archive)
            reading = Reading(desk)
            for item in walk_unless_known(paths, settings, reading.recall):
                if isinstance(item, Known):
                    summary.files_known += 1
                elif isinstance(item, Refusal):
                    reading.refuse(item)
                else:
                    progress(item.path)
                    reading.read(item)
            reading.finish()
            workers.close()  # to end a load takes memory, too
            load.add_known(summary.files_known)
    finally:
        workers.close()
    if archive is not None and load.committed:
        archive.settle()
    memory.store()
    summary.load_id = load.load_id if load.committed else None
    if not summary.files_read and not summary.files_known and not summary.lines_waiting:
        why = "; ".join(f"{refusal.path}: {refusal.reason}" for refusal in summary.refused[:3])
        raise MissingInputError(f"nothing readable in {', '.join(paths)}" + (f" ({why})" if why else ""))
    return summary
