"""Images fetched by hosts ahead of use: a favour, not an operation; what fails is only told to the operators."""

import itertools
import logging
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kilonova.kit.errors import KilonovaError
from kilonova.operations.work import Tools

LOG = logging.getLogger(__name__)


def cache_images(tools: Tools, payload: Mapping[str, Any]) -> None:
    """Ask ``payload["hosts"]`` for each of ``payload["images"]`` (packed ImageFacts), and tell how far it is."""
    order = str(uuid.uuid4())
    total, done = len(payload["hosts"]), itertools.count(1)

    def on(host: str) -> None:
        failed = []
        for image in payload["images"]:
            try:
                arguments = {"uuid": image["id"], "image": image}
                new = tools.hosts.ask(host, "cache_image", arguments, operation=f"{order}:{image['id']}")
            except KilonovaError as error:
                LOG.warning("Image %s is not cached on %s: %s", image["id"], host, error)
                failed.append(image["id"])
            else:
                LOG.info("Image %s on %s: %s", image["id"], host, "cached" if new else "was there already")
        if tools.announcer is not None:
            cached = [image["id"] for image in payload["images"] if image["id"] not in failed]
            place = {"host": host, "index": next(done), "total": total}
            tools.announcer.image_cached(
                payload["aggregate"], {**place, "images_cached": cached, "images_failed": failed}
            )

    with ThreadPoolExecutor(max_workers=tools.precache_concurrency, thread_name_prefix="precache") as pool:
        list(pool.map(on, payload["hosts"]))
