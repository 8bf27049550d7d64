"""Three MariaDB servers that are one database (Galera), on loopback behind a balancer."""

import signal
import time

from deployment.databases import MariaDb
from deployment.faulty import Faulty

PORT = 13330
_PROVIDER = "/usr/lib/galera/libgalera_smm.so"
_NODES = 3
_GROUP, _STATE, _TRANSFER = 14567, 14667, 14767


class Cluster:
    """All clients are sent to one node, and to the next when that does not take them any more."""

    def __init__(self) -> None:
        self.nodes = [MariaDb(PORT + 1 + number, self._options(number)) for number in range(_NODES)]
        self.balancer = Faulty(PORT, *(node.port for node in self.nodes))

    @staticmethod
    def _options(number: int) -> list[str]:
        members = ",".join(f"127.0.0.1:{_GROUP + each}" for each in range(_NODES))
        provider = (
            f"base_port={_GROUP + number}",
            f"gmcast.listen_addr=tcp://127.0.0.1:{_GROUP + number}",
            f"ist.recv_addr=127.0.0.1:{_STATE + number}",
            "gcache.size=64M",
        )
        return [
            "--wsrep-on=ON",
            f"--wsrep-provider={_PROVIDER}",
            f"--wsrep-cluster-address=gcomm://{members}",
            f"--wsrep-node-address=127.0.0.1:{_GROUP + number}",
            f"--wsrep-node-name=node{number}",
            f"--wsrep-sst-receive-address=127.0.0.1:{_TRANSFER + number}",
            "--wsrep-sst-method=rsync",
            f"--wsrep-provider-options={';'.join(provider)}",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
        ]

    def open(self) -> None:
        """Raises DatabaseWontStart."""
        for node in self.nodes:
            node.install()
        self.nodes[0].start("--wsrep-new-cluster")
        for node in self.nodes[1:]:
            node.start()
        self.balancer.start()

    def lose_one(self, seconds: float) -> None:
        """The node that serves is killed, and joins again after a while."""
        serving = next(node for node in self.nodes if node.port == self.balancer.serving)
        serving.stop(signal.SIGKILL)
        time.sleep(seconds)
        serving.start()

    def size(self) -> int:
        """How many nodes the cluster has, as one of them sees it."""
        row = self.nodes[0].execute("SHOW STATUS LIKE 'wsrep_cluster_size'")[0]
        return int(str(row[1]))

    def close(self) -> None:
        self.balancer.stop()
        for node in self.nodes:
            node.discard()
