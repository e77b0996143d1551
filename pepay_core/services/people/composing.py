"""The services of people, put together: what web and command line find at ``runtime.people``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pepay_core.passwords import Passwords
from pepay_core.relying import RelyingParty
from pepay_core.services.people.accounts import Accounts
from pepay_core.services.people.memberships import Memberships
from pepay_core.services.people.recovery import Recovery
from pepay_core.services.people.second_factors import SecondFactors
from pepay_core.services.people.sessions import Sessions
from pepay_core.services.people.signing_in import SigningIn
from pepay_core.services.people.slowing import Slowing

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.secrets import Vault
    from pepay_core.services.minting import Ids
    from pepay_core.services.ports import Store


@dataclass(frozen=True, slots=True)
class People:
    """Users and how they sign in, members and what they may do."""

    passwords: Passwords
    accounts: Accounts
    memberships: Memberships
    sessions: Sessions
    second_factors: SecondFactors
    signing_in: SigningIn


def compose_people(store: Store, clock: Clock, ids: Ids, vault: Vault, base_url: str) -> People:
    """Make the services and join them."""
    passwords, slowing = Passwords(), Slowing(store, clock, vault)
    accounts = Accounts(store, clock, ids, vault, passwords, slowing)
    sessions = Sessions(store, clock, ids)
    second_factors = SecondFactors(store, clock, ids, vault, RelyingParty(base_url), accounts, sessions, slowing, Recovery(vault))
    return People(
        passwords,
        accounts,
        Memberships(store, clock, accounts),
        sessions,
        second_factors,
        SigningIn(store, accounts, sessions, second_factors, slowing),
    )
