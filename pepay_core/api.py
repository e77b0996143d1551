"""The module that plugins import. Everything in ``__all__`` keeps its meaning within a major version of the API."""

from pepay_core.contracts.chain import Chain, WalletMaterial, WalletView
from pepay_core.contracts.check import Check, Finding, Verdict
from pepay_core.contracts.console import Console, Gateway, IssuedDeposit
from pepay_core.contracts.context import Clock, Http, HttpResponse, PluginContext
from pepay_core.contracts.converter import ConversionOrder, ConversionQuote, Converter, Intent
from pepay_core.contracts.notifier import Delivery, Letter, Notifier, Receipt
from pepay_core.contracts.pages import CheckoutPart, Page
from pepay_core.contracts.rates import RateProvider
from pepay_core.contracts.secrets import SecretsDriver
from pepay_core.domain.assets import Address, AssetId, ChainId, Token, asset_id, canonical_asset, chain_id, chain_of, family_of
from pepay_core.domain.chains import (
    BALANCE,
    Block,
    Departure,
    Destination,
    Feature,
    Finality,
    FinalityBand,
    PaymentRequest,
    Reference,
    Scan,
    Tip,
    Transfer,
    UnsignedTransaction,
)
from pepay_core.domain.errors import (
    ChainUnavailable,
    ConfigError,
    CursorOrphaned,
    EgressRefused,
    GiveUp,
    InvalidAddress,
    InvalidInput,
    NoDestination,
    NotReady,
    PePayError,
    RatesUnavailable,
    Refused,
    Unavailable,
)
from pepay_core.domain.events import Event
from pepay_core.domain.inspecting import Ignored, IgnoredBecause, Inspection
from pepay_core.domain.invoices import InvoiceDraft
from pepay_core.domain.jsontext import decode, encode
from pepay_core.domain.mails import check_mail_address
from pepay_core.domain.money import MAX_BASE_UNITS, from_base_units, parse_amount, plain, to_base_units
from pepay_core.domain.rates import Pair, Rate, read_price
from pepay_core.domain.sources import Source, SourceState, Testimony
from pepay_core.domain.sweeps import Balance
from pepay_core.domain.watchlist import Watchlist
from pepay_core.hookspecs import hookimpl
from pepay_core.plugins.info import API_VERSION, PluginInfo
from pepay_core.plugins.settings import PluginSettings

__all__ = [
    "API_VERSION",
    "BALANCE",
    "MAX_BASE_UNITS",
    "Address",
    "AssetId",
    "Balance",
    "Block",
    "Chain",
    "ChainId",
    "ChainUnavailable",
    "Check",
    "CheckoutPart",
    "Clock",
    "ConfigError",
    "Console",
    "ConversionOrder",
    "ConversionQuote",
    "Converter",
    "CursorOrphaned",
    "Delivery",
    "Departure",
    "Destination",
    "EgressRefused",
    "Event",
    "Feature",
    "Finality",
    "FinalityBand",
    "Finding",
    "Gateway",
    "GiveUp",
    "Http",
    "HttpResponse",
    "Ignored",
    "IgnoredBecause",
    "Inspection",
    "Intent",
    "InvalidAddress",
    "InvalidInput",
    "InvoiceDraft",
    "IssuedDeposit",
    "Letter",
    "NoDestination",
    "NotReady",
    "Notifier",
    "Page",
    "Pair",
    "PaymentRequest",
    "PePayError",
    "PluginContext",
    "PluginInfo",
    "PluginSettings",
    "Rate",
    "RateProvider",
    "RatesUnavailable",
    "Receipt",
    "Reference",
    "Refused",
    "Scan",
    "SecretsDriver",
    "Source",
    "SourceState",
    "Testimony",
    "Tip",
    "Token",
    "Transfer",
    "Unavailable",
    "UnsignedTransaction",
    "Verdict",
    "WalletMaterial",
    "WalletView",
    "Watchlist",
    "asset_id",
    "canonical_asset",
    "chain_id",
    "chain_of",
    "check_mail_address",
    "decode",
    "encode",
    "family_of",
    "from_base_units",
    "hookimpl",
    "parse_amount",
    "plain",
    "read_price",
    "to_base_units",
]
