"""Names of programs, Go files and levels, as they stand in line heads, and what we call them.

Before Calico v3.14 a logrus line names only its file, so the file tells the component; the lists hold the
files seen in release trees of calico/node, confd, felix, typha and libcalico-go up to v3.13.
"""

from __future__ import annotations

LEVELS: dict[str, str] = {
    # logrus, klog and Go's logfmt
    "TRACE": "trace", "DEBUG": "debug", "INFO": "info", "WARNING": "warning", "WARN": "warning",
    "ERROR": "error", "FATAL": "fatal", "PANIC": "fatal", "CRITICAL": "fatal",
    "I": "info", "W": "warning", "E": "error", "F": "fatal",
    "trace": "trace", "debug": "debug", "info": "info", "warning": "warning", "warn": "warning",
    "error": "error", "fatal": "fatal", "panic": "fatal",
    # events of Kubernetes
    "Normal": "info", "Warning": "warning",
    # FRR's, on a terminal
    "DEBG": "debug", "NTFY": "info", "ERR!": "error", "CRIT": "fatal", "ALRT": "fatal", "EMRG": "fatal",
    "emergencies": "fatal", "alerts": "fatal", "critical": "fatal", "errors": "error", "warnings": "warning",
    "notifications": "info", "informational": "info", "debugging": "debug",
    # BIRD's classes, by the syslog priority that BIRD gives them
    "DBG": "debug", "RMT": "error", "ERR": "error", "AUTH": "error", "BUG": "fatal", "???": "info",
}  # fmt: skip

PREFIX_COMPONENTS: dict[str, str] = {
    "startup": "node", "monitor-addresses": "node", "tunnel-ip-allocator": "node", "status-reporter": "node",
    "shutdown": "node", "init": "node", "init-best-effort": "node", "hostpath-init": "node",
    "node-services": "node", "windows-upgrade": "node", "node": "node",
    "cni-config-monitor": "cni", "cni-installer": "cni", "cni-plugin": "cni", "ipam": "cni",
}  # fmt: skip

FILE_COMPONENTS: dict[str, str] = {
    "startup.go": "node", "autodetection_methods.go": "node", "interfaces.go": "node", "filtered.go": "node",
    "customresource.go": "node", "allocateip.go": "node", "allocate_ipip_addr.go": "node", "utils.go": "node",
    "reachaddr.go": "node", "readiness.go": "node", "k8s.go": "node", "kubeadm.go": "node",
    "run.go": "confd", "client.go": "confd", "config.go": "confd", "resource.go": "confd",
    "processor.go": "confd", "secret_watcher.go": "confd", "util.go": "confd", "template_funcs.go": "confd",
    "watchercache.go": "confd", "watchersyncer.go": "confd", "rules.go": "confd",
    "sync_server.go": "typha", "snapcache.go": "typha", "snapshot.go": "typha", "rebalance.go": "typha",
    "token_watch.go": "cni", "install.go": "cni",
}  # fmt: skip

PROBE_FILES = ["health.go", "readiness.go"]
CLIENT_FILES = [
    "reflector.go", "feature_gate.go", "client_config.go", "warnings.go", "request.go", "loader.go",
    "envvar.go", "streamwatcher.go", "round_trippers.go",
]  # fmt: skip

# programs that log as klog does and are no kubelet: cloudnativelabs/kube-router:pkg
KLOG_COMPONENTS: dict[str, str] = dict.fromkeys(
    [
        "kube-router.go", "network_routes_controller.go", "network_services_controller.go",
        "network_policy_controller.go", "bgp_peers.go", "bgp_policies.go", "ecmp_vip.go", "health_controller.go",
        "pod_cidr.go", "host_route_sync.go", "network_services_graceful.go",
    ],
    "kube-router",
)  # fmt: skip

# what an envelope calls the writer -> component (other names stay as they are)
PROGRAMS: dict[str, str] = {
    "bird": "bird", "bird4": "bird", "birdc": "bird", "bird6": "bird6", "kernel": "kernel",
    "kubelet": "kubelet", "systemd": "systemd", "confd": "confd", "calico-felix": "felix",
    "docker": "node", "dockerd": "node", "calico-node": "node", "calico-typha": "typha",
    "bgpd": "frr", "zebra": "frr", "watchfrr": "frr", "bfdd": "frr", "gobgpd": "gobgp",
}  # fmt: skip

# component -> the family of rules that reads a line of no special layout
BODY_FAMILIES: dict[str, str] = {
    "bird": "bird", "bird6": "bird", "kernel": "kernel", "kubelet": "kubelet", "systemd": "systemd",
    "frr": "frr", "gobgp": "gobgp", "felix": "go", "confd": "go", "typha": "go",
}  # fmt: skip
