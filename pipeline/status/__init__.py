"""What commands print (``birdcl``, ``calicoctl``, ``kubectl``, ``sysctl`` …) read into rows and states."""

from pipeline.status.console import parse_console
from pipeline.status.model import (
    ConsoleFacts,
    DocumentFacts,
    Facts,
    NodeFact,
    Record,
    Reject,
    Resource,
    State,
)
from pipeline.status.names import address_only, split_info
from pipeline.status.sniff import sniff_console

__all__ = [
    "ConsoleFacts",
    "DocumentFacts",
    "Facts",
    "NodeFact",
    "Record",
    "Reject",
    "Resource",
    "State",
    "address_only",
    "parse_console",
    "sniff_console",
    "split_info",
]
