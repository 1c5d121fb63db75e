"""Commands and scheduled jobs.

What an analysis needs at most counts, and Polars' allocator keeps pages for a second or more that were let go of:
a tenth of the peak. It reads its settings when it is loaded.
"""

import os

os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:200,muzzy_decay_ms:0")
