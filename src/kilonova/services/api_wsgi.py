"""The Compute API for WSGI servers that import an ``application``: uWSGI, mod_wsgi, gunicorn, granian.

It reads the files that ``$OS_NOVA_CONFIG_FILES`` names (separated by ``;``; inside ``$OS_NOVA_CONFIG_DIR`` unless
absolute), or the usual.
"""

from kilonova.services import api

application = api.application()
