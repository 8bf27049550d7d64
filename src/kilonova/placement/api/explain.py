"""``/ext/v1/allocation_candidates/explain``: why a search finds nothing. Ours; ``docs/ext.md`` describes it."""

from collections.abc import Sequence
from typing import Any

from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.placement.api.replies import dated
from kilonova.placement.api.wiring import wired
from kilonova.placement.domain.query import parse_demand
from kilonova.placement.store.explain import Explanation, Finding


def explain(call: Call) -> Reply:
    """What each constraint of the query leaves, and which one alone is in the way."""
    found = wired(call).explainer.explain(parse_demand(call.query, call.version[1]))
    document = {
        "fits": found.fits,
        "summary": _summary(found),
        "constraints": [_document(finding) for finding in found.findings],
    }
    return dated(call, document)


def _document(finding: Finding) -> dict[str, Any]:
    document: dict[str, Any] = {
        "constraint": finding.constraint.text,
        "providers": finding.providers,
        "fits_without": finding.fits_without,
    }
    if finding.largest is not None:
        document["largest"] = finding.largest
    return document


def _summary(found: Explanation) -> str:
    if found.fits:
        return "There are candidates."
    alone = [finding for finding in found.findings if finding.fits_without]
    if alone:
        return f"There would be candidates but for any one of: {_listed(alone)}."
    nowhere = [finding for finding in found.findings if finding.providers == 0]
    if nowhere:
        return f"No provider meets: {_listed(nowhere)}."
    return "Each constraint is met by some provider, but not together, and no single one is in the way."


def _listed(findings: Sequence[Finding]) -> str:
    return "; ".join(f"{finding.constraint.text} ({_met(finding)})" for finding in findings)


def _met(finding: Finding) -> str:
    if finding.providers is None:
        return "about several providers"
    words = f"{finding.providers} provider{'' if finding.providers == 1 else 's'}"
    return words if finding.largest is None else f"{words}, at most {finding.largest} on one"


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/ext/v1/allocation_candidates/explain",
        handler=explain,
        since=(1, 10),
        rule="placement:allocation_candidates:list",
    ),
)
