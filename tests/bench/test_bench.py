"""A short form of the measurement: processor time against drain3's, in the same run, with a wide margin."""

from __future__ import annotations

import time
from pathlib import Path

from pipeline.engines.items import run_item
from pipeline.engines.parts import Part
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings
from pipeline.sources.paths import Names
from tests.bench.contestants import DRAIN_MASKS
from tests.bench.corpus import write_corpus

# Recorded: 85 MB for each processor second, against 9 MB of drain3's loop. The margin is for other machines.
LEAST = 3.0
DRAIN_LINES = 8_000


def test_parsing_costs_less_than_a_drain3_loop(tmp_path: Path) -> None:
    from drain3 import TemplateMiner
    from drain3.masking import MaskingInstruction
    from drain3.template_miner_config import TemplateMinerConfig

    (path,) = write_corpus(tmp_path, 12_000_000, files=1)
    part = Part(0, str(path), Names(), data=path.read_bytes())
    run_item([part], load_ruleset(), Settings())
    start = time.process_time()
    run_item([part], load_ruleset(), Settings())
    parsed = path.stat().st_size / (time.process_time() - start)
    config = TemplateMinerConfig()
    config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in DRAIN_MASKS]
    miner = TemplateMiner(config=config)
    lines = path.read_text().splitlines()[:DRAIN_LINES]
    start = time.process_time()
    for line in lines:
        miner.add_log_message(line)
    mined = sum(map(len, lines)) / (time.process_time() - start)
    assert parsed / mined >= LEAST
