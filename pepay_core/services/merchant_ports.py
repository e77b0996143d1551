"""What services need of storage for merchants: who they are, their keys, and what they are paid to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.connecting import Grant
    from pepay_core.domain.ids import KeyId, MerchantId, WalletId
    from pepay_core.domain.images import Image
    from pepay_core.domain.merchants import ApiKey, Merchant, Wallet
    from pepay_core.services.paging import Page, Slice


class Merchants(Protocol):
    """Tenants."""

    async def add(self, merchant: Merchant) -> None: ...
    async def get(self, merchant: MerchantId) -> Merchant: ...
    async def all(self) -> list[Merchant]: ...
    async def save(self, merchant: Merchant) -> None:
        """Store its preferences; whether it is suspended is not among them."""
        ...

    async def logo(self, merchant: MerchantId) -> Image | None:
        """Return its logo, if it has one."""
        ...

    async def put_logo(self, merchant: MerchantId, image: Image | None) -> None:
        """Give it a logo, or take it away."""
        ...

    async def suspend(self, merchant: MerchantId, at: datetime | None) -> None:
        """Suspend it from a moment on; None lets it go on."""
        ...

    async def is_suspended(self, merchant: MerchantId) -> bool: ...


class Keys(Protocol):
    """API keys."""

    async def add(self, key: ApiKey) -> None: ...
    async def find(self, key: KeyId) -> ApiKey | None: ...
    async def get(self, merchant: MerchantId, key: KeyId, *, livemode: bool, lock: bool = False) -> ApiKey: ...
    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page) -> Slice[ApiKey]: ...
    async def save(self, key: ApiKey) -> None: ...
    async def touch(self, key: KeyId, at: datetime) -> None: ...
    async def expiring(self, now: datetime, before: datetime) -> list[ApiKey]:
        """Return keys of all merchants that are valid now and will not be then, soonest first."""
        ...


class Wallets(Protocol):
    """Receiving material. The same material may be active only once per environment and family, for all merchants together."""

    async def add(self, wallet: Wallet) -> None:
        """Store it; raises Conflict when the same material is active already. Archived material comes back with its next index."""
        ...

    async def get(self, merchant: MerchantId, wallet: WalletId) -> Wallet: ...
    async def active(self, merchant: MerchantId, *, livemode: bool) -> list[Wallet]: ...
    async def of_kind(self, family: str, kind: str) -> list[Wallet]:
        """Return the wallets of a kind, of all merchants and both environments, archived ones too."""
        ...

    async def archive(self, merchant: MerchantId, wallet: WalletId, at: datetime) -> None: ...
    async def next_index(self, wallet: WalletId) -> int:
        """Allocate and return an index that was never returned before."""
        ...


class Grants(Protocol):
    """Consents to give a shop a key."""

    async def add(self, grant: Grant) -> None: ...
    async def take(self, digest: str) -> Grant | None:
        """Use one up; None when it was used already."""
        ...

    async def sweep(self, now: datetime) -> None:
        """Forget those that have expired."""
        ...
