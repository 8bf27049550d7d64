"""The range of Compute microversions and the sentence for each, kept as data beside this module."""

from kilonova.kit.http.versions import Version, Versioning

MINIMUM: Version = (2, 1)
MAXIMUM: Version = (2, 104)
LEGACY_HEADER = "X-OpenStack-Nova-API-Version"
VERSIONING = Versioning("compute", MINIMUM, MAXIMUM, LEGACY_HEADER)
STRICT_QUERY: Version = (2, 75)
"""From here many routes refuse unknown query keys."""
STRICT_ALL: Version = (2, 102)
"""From here all do."""
PROXIES_UNTIL: Version = (2, 35)
"""The last version of most routes that other services answer."""
