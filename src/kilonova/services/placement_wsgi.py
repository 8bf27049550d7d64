"""The placement service for WSGI servers that import an ``application``: uWSGI, mod_wsgi, gunicorn, granian.

Name it as ``kilonova.services.placement_wsgi:application``. It reads ``placement.conf`` from
``$OS_PLACEMENT_CONFIG_DIR`` or, without that, from the usual places.
"""

from kilonova.services import placement_api

application = placement_api.application([])
