"""peerscope: why BGP sessions fail in Calico clusters, read from logs and status output."""

__version__ = "0.1.0"
