"""Images fetched by hosts ahead of use: a favour, not an operation; what fails is only told to the operators."""

import logging
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kilonova.kit.errors import KilonovaError
from kilonova.operations.hosts import Hosts

LOG = logging.getLogger(__name__)


def cache_images(hosts: Hosts, payload: Mapping[str, Any], *, at_once: int) -> None:
    """Ask ``payload["hosts"]``, ``at_once`` at a time, for each of ``payload["images"]`` (packed ImageFacts)."""
    order = str(uuid.uuid4())

    def on(host: str) -> None:
        for image in payload["images"]:
            try:
                arguments = {"uuid": image["id"], "image": image}
                new = hosts.ask(host, "cache_image", arguments, operation=f"{order}:{image['id']}")
            except KilonovaError as error:
                LOG.warning("Image %s is not cached on %s: %s", image["id"], host, error)
            else:
                LOG.info("Image %s on %s: %s", image["id"], host, "cached" if new else "was there already")

    with ThreadPoolExecutor(max_workers=max(1, at_once), thread_name_prefix="precache") as pool:
        list(pool.map(on, payload["hosts"]))
