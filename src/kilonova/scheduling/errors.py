"""What can go wrong while choosing a host."""

from typing import TYPE_CHECKING, Any

from kilonova.kit.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from kilonova.scheduling.explain import Explanation


class NoValidHost(Invalid):
    """No host may run the server; ``explanation`` says what each filter did, for operators."""

    template = "No valid host was found. {reason}"
    explanation: "Explanation | None" = None

    @property
    def facts(self) -> dict[str, Any] | None:
        """What the journal keeps of it."""
        return None if self.explanation is None else self.explanation.tally()

    def because(self, why: str) -> "NoValidHost":
        """The same with more words."""
        error = NoValidHost(reason=f"{self.fields['reason']} {why}")
        error.explanation = self.explanation
        return error


class BadExtraSpec(Invalid):
    """A flavor extra spec or image property that shapes the placement query cannot be read."""

    template = "Invalid value {value!r} for {key!r}: {reason}"


class BadHint(Invalid):
    """A scheduler hint cannot be read."""

    template = "Scheduler hint {hint!r}: {reason}"


class BadSchedulerOption(Invalid):
    """An option of nova.conf names a filter or weigher that cannot be used, or a malformed list."""

    template = "Option {option}: {reason}"


class MetricMissing(Unavailable):
    """A host lacks a metric that [metrics] weight_setting demands ([metrics] required)."""

    template = "Host {host} does not report the metric {metric} that [metrics] weight_setting names."
