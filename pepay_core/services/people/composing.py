"""The services of people, put together: what web and command line find at ``runtime.people``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pepay_core.passwords import Passwords
from pepay_core.relying import RelyingParty
from pepay_core.services.people.accounts import Accounts
from pepay_core.services.people.challenges import Challenges
from pepay_core.services.people.invitations import Invitations
from pepay_core.services.people.memberships import Memberships
from pepay_core.services.people.one_time_codes import OneTimeCodes
from pepay_core.services.people.passkeys import Passkeys
from pepay_core.services.people.platform import Platform
from pepay_core.services.people.posting import Posting
from pepay_core.services.people.recovery import Recovery
from pepay_core.services.people.resets import EmailChanges, PasswordResets
from pepay_core.services.people.second_factors import SecondFactors
from pepay_core.services.people.sessions import Sessions
from pepay_core.services.people.signing_in import SigningIn
from pepay_core.services.people.slowing import Slowing

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.secrets import Vault
    from pepay_core.services.mailing import Mailing
    from pepay_core.services.minting import Ids
    from pepay_core.services.ports import Store
    from pepay_core.services.recording import Recorder


@dataclass(frozen=True, slots=True)
class People:
    """Users and how they sign in, members and what they may do."""

    passwords: Passwords
    accounts: Accounts
    memberships: Memberships
    sessions: Sessions
    second_factors: SecondFactors
    one_time_codes: OneTimeCodes
    passkeys: Passkeys
    signing_in: SigningIn
    invitations: Invitations
    password_resets: PasswordResets
    email_changes: EmailChanges
    platform: Platform

    async def close(self) -> None:
        """Finish what was begun, and let the threads go."""
        await self.password_resets.settle()
        self.passwords.close()


def compose_people(store: Store, clock: Clock, ids: Ids, vault: Vault, base_url: str, recorder: Recorder, mailing: Mailing | None = None) -> People:
    """Make the services and join them. Without ``mailing``, links go to whoever asked for them."""
    passwords, slowing, posting = Passwords(), Slowing(store, clock, vault), Posting(mailing, base_url)
    accounts = Accounts(store, clock, ids, vault, passwords, slowing, recorder)
    sessions = Sessions(store, clock, ids)
    party, challenges = RelyingParty(base_url), Challenges(store, clock, vault, slowing)
    second_factors = SecondFactors(store, clock, vault, party, accounts, sessions, slowing, Recovery(vault), challenges)
    memberships = Memberships(store, clock, accounts, recorder)
    invitations = Invitations(store, clock, ids, accounts, memberships, sessions, posting)
    return People(
        passwords=passwords,
        accounts=accounts,
        memberships=memberships,
        sessions=sessions,
        second_factors=second_factors,
        one_time_codes=OneTimeCodes(store, clock, vault, accounts, slowing, second_factors),
        passkeys=Passkeys(store, clock, ids, party, accounts, challenges, second_factors),
        signing_in=SigningIn(store, clock, party, accounts, sessions, second_factors, slowing, challenges),
        invitations=invitations,
        password_resets=PasswordResets(store, clock, accounts, posting, slowing),
        email_changes=EmailChanges(store, clock, accounts, posting),
        platform=Platform(store, clock, ids, invitations, recorder),
    )
