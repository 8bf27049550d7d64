"""What the handlers work with."""

from dataclasses import dataclass
from typing import cast

from kilonova.kit.clock import Clock
from kilonova.kit.db.engine import Database
from kilonova.kit.http.endpoint import Call
from kilonova.placement.api.options import PlacementOptions
from kilonova.placement.domain.candidates import Strategy
from kilonova.placement.store.allocations import Allocations
from kilonova.placement.store.candidates import CandidateSearch, SearchOptions
from kilonova.placement.store.explain import Explainer
from kilonova.placement.store.inventories import Inventories
from kilonova.placement.store.memberships import ProviderAggregates, ProviderTraits
from kilonova.placement.store.names import NameBook
from kilonova.placement.store.providers import Providers
from kilonova.placement.store.reshape import Reshaper
from kilonova.placement.store.sync import name_books, sync_names
from kilonova.placement.store.usages import Usages


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The store, as ``call.app``."""

    database: Database
    clock: Clock
    classes: NameBook
    traits: NameBook
    providers: Providers
    inventories: Inventories
    provider_traits: ProviderTraits
    provider_aggregates: ProviderAggregates
    allocations: Allocations
    usages: Usages
    reshaper: Reshaper
    search: CandidateSearch
    explainer: Explainer


def wire(database: Database, clock: Clock, options: PlacementOptions) -> Wiring:
    """Over a database whose schema is up to date; adds missing standard names."""
    classes, traits = name_books(database, clock)
    sync_names(classes, traits)
    placeholder = (options.incomplete_consumer_project_id, options.incomplete_consumer_user_id)
    ids: dict[str, int] = {}
    allocations = Allocations(database, clock, classes, placeholder, ids)
    most = options.max_allocation_candidates
    options_of_search = SearchOptions(
        randomize=options.randomize_allocation_candidates,
        maximum=most if most >= 0 else None,
        strategy=cast("Strategy", options.allocation_candidates_generation_strategy),
    )
    search = CandidateSearch(database, (classes, traits), options_of_search, ids)
    return Wiring(
        database=database,
        clock=clock,
        classes=classes,
        traits=traits,
        providers=Providers(database, clock, classes, traits),
        inventories=Inventories(database, clock, classes),
        provider_traits=ProviderTraits(database, clock, traits),
        provider_aggregates=ProviderAggregates(database, clock),
        allocations=allocations,
        usages=Usages(database, classes),
        reshaper=Reshaper(database, clock, classes, allocations),
        search=search,
        explainer=Explainer(database, classes, traits, search, clock),
    )


def wired(call: Call) -> Wiring:
    """The wiring of a call."""
    return cast("Wiring", call.app)
