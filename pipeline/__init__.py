"""peerscope: why BGP sessions fail in Calico clusters, read from logs and status output."""

import os

__version__ = "0.1.0"

# NumPy's library of linear algebra starts threads that spin for a tenth of a second, in every process that is started;
# what is computed here has a few columns.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
