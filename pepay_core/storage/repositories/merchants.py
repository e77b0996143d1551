"""Merchants, API keys and wallets."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from pepay_core.domain.assets import AssetId
from pepay_core.domain.errors import Conflict
from pepay_core.domain.ids import KeyId, MerchantId, WalletId
from pepay_core.domain.images import Image
from pepay_core.domain.invoices import LatePolicy, Tolerance
from pepay_core.domain.merchants import ApiKey, Merchant, Wallet
from pepay_core.storage.codecs import (
    from_amount,
    from_assets,
    from_finality,
    from_json,
    from_self_service,
    to_amount,
    to_finality,
    to_json,
    to_self_service,
)
from pepay_core.storage.repositories.rows import Repository, missing
from pepay_core.storage.sealed import WALLET
from pepay_core.storage.tables import KeyRow, LogoRow, MerchantRow, WalletRow

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.services.paging import Page, Slice


class MerchantRepository(Repository):
    """Tenants."""

    async def add(self, merchant: Merchant) -> None:
        await self._insert(MerchantRow, _merchant_row(merchant))

    async def get(self, merchant: MerchantId) -> Merchant:
        return _merchant(await self._get(MerchantRow, "merchant", merchant))

    async def all(self) -> list[Merchant]:
        return [_merchant(row) for row in await self._select(MerchantRow, order=[MerchantRow.id])]

    async def save(self, merchant: Merchant) -> None:
        preferences = {name: value for name, value in _merchant_row(merchant).items() if name != "suspended_at"}
        if not await self._update(MerchantRow, preferences, MerchantRow.id == merchant.id):
            raise missing("merchant", merchant.id)

    async def logo(self, merchant: MerchantId) -> Image | None:
        row = await self._find(LogoRow, merchant)
        return Image(row["media_type"], bytes(row["data"])) if row else None

    async def put_logo(self, merchant: MerchantId, image: Image | None) -> None:
        if image is None:
            await self._raw("DELETE FROM pepay_logo WHERE id = {}", merchant)
        else:
            await self._upsert(LogoRow, [{"id": merchant, "media_type": image.media_type, "data": image.data}], [LogoRow.id])

    async def suspend(self, merchant: MerchantId, at: datetime | None) -> None:
        if not await self._update(MerchantRow, {"suspended_at": at}, MerchantRow.id == merchant):
            raise missing("merchant", merchant)

    async def is_suspended(self, merchant: MerchantId) -> bool:
        return bool(await self._raw("SELECT 1 AS found FROM pepay_merchant WHERE id = {} AND suspended_at IS NOT NULL", merchant))


class KeyRepository(Repository):
    """API keys."""

    async def add(self, key: ApiKey) -> None:
        await self._insert(KeyRow, _key_row(key))

    async def find(self, key: KeyId) -> ApiKey | None:
        row = await self._find(KeyRow, key)
        return _key(row) if row else None

    async def get(self, merchant: MerchantId, key: KeyId, *, livemode: bool, lock: bool = False) -> ApiKey:
        return _key(await self._get(KeyRow, "key", key, KeyRow.merchant == merchant, KeyRow.livemode.eq(livemode), lock=lock))

    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page) -> Slice[ApiKey]:
        scope = [KeyRow.merchant == merchant, KeyRow.livemode.eq(livemode)]
        return await self._page(KeyRow, KeyRow.id, page, _key, scope=scope)

    async def save(self, key: ApiKey) -> None:
        if not await self._update(KeyRow, _key_row(key), KeyRow.id == key.id):
            raise missing("key", key.id)

    async def touch(self, key: KeyId, at: datetime) -> None:
        await self._update(KeyRow, {"last_used_at": at}, KeyRow.id == key)

    async def expiring(self, now: datetime, before: datetime) -> list[ApiKey]:
        where = [KeyRow.revoked_at.is_null(), KeyRow.expires_at > now, KeyRow.expires_at <= before]
        return [_key(row) for row in await self._select(KeyRow, *where, order=[KeyRow.expires_at])]


class WalletRepository(Repository):
    """Receiving material: one row for ever, so that an index is never allocated twice, however often it is archived and added again."""

    def _wallet(self, row: dict[str, Any]) -> Wallet:
        value = self._session.opened(WALLET, row["id"], row["material"], row["value"])
        return Wallet(**{name: each for name, each in row.items() if name not in {"digest", "material", "value"}}, value=value)

    async def add(self, wallet: Wallet) -> None:
        row = {**_wallet_row(wallet), "material": self._session.seal(WALLET, wallet.id, wallet.value)}
        if await self._insert_new(WalletRow, row):
            return
        revived = await self._update(
            WalletRow,
            {"archived_at": None, "label": wallet.label, "kind": wallet.kind},
            WalletRow.livemode.eq(wallet.livemode),
            WalletRow.family == wallet.family,
            WalletRow.digest == row["digest"],
            WalletRow.merchant == wallet.merchant,
            WalletRow.archived_at.is_not_null(),
        )
        if not revived:
            raise Conflict("this receiving material is in use already")

    async def get(self, merchant: MerchantId, wallet: WalletId) -> Wallet:
        return self._wallet(await self._get(WalletRow, "wallet", wallet, WalletRow.merchant == merchant))

    async def active(self, merchant: MerchantId, *, livemode: bool) -> list[Wallet]:
        scope = [WalletRow.merchant == merchant, WalletRow.livemode.eq(livemode), WalletRow.archived_at.is_null()]
        return [self._wallet(row) for row in await self._select(WalletRow, *scope, order=[WalletRow.id])]

    async def of_kind(self, family: str, kind: str) -> list[Wallet]:
        return [self._wallet(row) for row in await self._select(WalletRow, WalletRow.family == family, WalletRow.kind == kind, order=[WalletRow.id])]

    async def archive(self, merchant: MerchantId, wallet: WalletId, at: datetime) -> None:
        if not await self._update(WalletRow, {"archived_at": at}, WalletRow.id == wallet, WalletRow.merchant == merchant):
            raise missing("wallet", wallet)

    async def next_index(self, wallet: WalletId) -> int:
        sql = "UPDATE pepay_wallet SET next_index = next_index + 1 WHERE id = {} RETURNING next_index"
        rows = await self._raw(sql, wallet)
        if not rows:
            raise missing("wallet", wallet)
        return rows[0]["next_index"] - 1


def _merchant_row(merchant: Merchant) -> dict[str, Any]:
    return {
        "id": merchant.id,
        "name": merchant.name,
        "created_at": merchant.created_at,
        "currency": merchant.currency,
        "tokens": None if merchant.tokens is None else to_json(merchant.tokens),
        "settlement_asset": merchant.settlement_asset,
        "tolerance_percent": to_amount(merchant.tolerance.percent),
        "tolerance_amount": to_amount(merchant.tolerance.amount),
        "late_policy": merchant.late_policy.value,
        "finality": to_finality(merchant.finality),
        "branding": to_json(merchant.branding),
        "embed_origins": to_json(merchant.embed_origins),
        "self_service": to_self_service(merchant.self_service),
        "suspended_at": merchant.suspended_at,
    }


def _merchant(row: dict[str, Any]) -> Merchant:
    return Merchant(
        id=MerchantId(row["id"]),
        name=row["name"],
        created_at=row["created_at"],
        currency=row["currency"],
        tokens=from_assets(row["tokens"]),
        settlement_asset=None if row["settlement_asset"] is None else AssetId(row["settlement_asset"]),
        tolerance=tolerance(row),
        late_policy=LatePolicy(row["late_policy"]),
        finality=from_finality(row["finality"]),
        branding=from_json(row["branding"]),
        embed_origins=tuple(from_json(row["embed_origins"])),
        self_service=from_self_service(row["self_service"]),
        suspended_at=row["suspended_at"],
    )


def tolerance(row: dict[str, Any]) -> Tolerance:
    """Read the two columns of a tolerance."""
    percent, amount = from_amount(row["tolerance_percent"]), from_amount(row["tolerance_amount"])
    assert percent is not None
    assert amount is not None
    return Tolerance(percent, amount)


def _key_row(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "merchant": key.merchant,
        "livemode": key.livemode,
        "name": key.name,
        "scopes": to_json(key.scopes),
        "digest": key.digest,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "allowed_ips": to_json(key.allowed_ips),
        "writes_per_minute": key.writes_per_minute,
        "not_before": key.not_before,
        "made_by": key.made_by,
    }


def _key(row: dict[str, Any]) -> ApiKey:
    return ApiKey(**{**row, "scopes": tuple(from_json(row["scopes"])), "allowed_ips": tuple(from_json(row["allowed_ips"]))})


def _wallet_row(wallet: Wallet) -> dict[str, Any]:
    return {
        "id": wallet.id,
        "merchant": wallet.merchant,
        "livemode": wallet.livemode,
        "family": wallet.family,
        "kind": wallet.kind,
        "value": "",
        "digest": hashlib.sha256(wallet.value.encode(errors="surrogatepass")).hexdigest(),
        "label": wallet.label,
        "created_at": wallet.created_at,
        "archived_at": wallet.archived_at,
        "next_index": wallet.next_index,
    }
