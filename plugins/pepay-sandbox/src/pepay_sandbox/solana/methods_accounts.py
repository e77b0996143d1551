"""Methods about accounts and tokens."""

from __future__ import annotations

import base64
from binascii import Error as NotBase64
from typing import TYPE_CHECKING, Any, Final

from pepay_sandbox.solana import base58, params, programs
from pepay_sandbox.solana.encoding import account_body
from pepay_sandbox.solana.methods_chain import in_context
from pepay_sandbox.solana.params import Config, invalid
from pepay_sandbox.solana.tokens import read_mint, read_token_account, ui_amount

if TYPE_CHECKING:
    from collections.abc import Callable

    from solders.account import Account

    from pepay_sandbox.solana.node import Node
    from pepay_sandbox.solana.tokens import TokenAccount

_MAX_ACCOUNTS: Final = 100
_MAX_FILTERS: Final = 4
_LARGEST: Final = 20


def _get_balance(node: Node, address: Any, config: Any = None) -> dict[str, Any]:
    view = Config(config).view(node.ledger)
    account = node.ledger.account(params.address(address), view)
    return in_context(view, account.lamports if account else 0)


def _get_account_info(node: Node, address: Any, config: Any = None) -> dict[str, Any]:
    config = Config(config)
    view = config.view(node.ledger)
    account = node.ledger.account(params.address(address), view)
    return in_context(view, account_body(node.ledger, account, config, "binary"))


def _get_multiple_accounts(node: Node, addresses: Any, config: Any = None) -> dict[str, Any]:
    config = Config(config)
    view = config.view(node.ledger)
    wanted = [params.address(each) for each in params.items(addresses, _MAX_ACCOUNTS, "inputs")]
    return in_context(view, [account_body(node.ledger, node.ledger.account(each, view), config) for each in wanted])


def _get_minimum_balance_for_rent_exemption(node: Node, size: Any, _config: Any = None) -> int:
    return node.ledger.engine.rent(params.number(size))


def _get_program_accounts(node: Node, program: Any, config: Any = None) -> Any:
    config = Config(config)
    view = config.view(node.ledger)
    matches = account_filter(config)
    found = [
        {"pubkey": address, "account": account_body(node.ledger, account, config, "binary")}
        for address, account in node.ledger.owned_by(params.address(program), view)
        if matches(account)
    ]
    return in_context(view, found) if config.flag("withContext") else found


def account_filter(config: Config) -> Callable[[Account], bool]:
    """Return what decides whether an account is wanted, by the filters of a configuration; raises RpcError."""
    tests = [_test(each) for each in params.items(config.get("filters", []), _MAX_FILTERS, "filters")]
    return lambda account: all(test(account) for test in tests)


def _test(wanted: Any) -> Callable[[Account], bool]:
    if wanted == "tokenAccountState":
        return lambda account: read_token_account(account) is not None
    wanted = Config(wanted)
    size = wanted.number("dataSize")
    if size is not None:
        return lambda account: len(account.data) == size
    compared = Config(wanted.get("memcmp"))
    offset, octets = compared.number("offset") or 0, _compared(compared)
    return lambda account: bytes(account.data)[offset : offset + len(octets)] == octets


def _compared(config: Config) -> bytes:
    given = config.get("bytes")
    try:
        if isinstance(given, list):
            return bytes(given)
        if config.choice("encoding", ("base58", "base64"), "base58") == "base64":
            return base64.b64decode(given, validate=True)
        return base58.decode(given)
    except (TypeError, ValueError, NotBase64):
        raise invalid("Invalid param: memcmp bytes are not what their encoding says") from None


# --- tokens ---------------------------------------------------------------------------


def _get_token_account_balance(node: Node, address: Any, config: Any = None) -> dict[str, Any]:
    view = Config(config).view(node.ledger)
    account = node.ledger.account(params.address(address), view)
    if account is None:
        raise invalid("Invalid param: could not find account")
    token = read_token_account(account)
    if token is None:
        raise invalid("Invalid param: not a Token account")
    return in_context(view, ui_amount(token.amount, node.ledger.decimals(token.mint)))


def _get_token_supply(node: Node, mint: Any, config: Any = None) -> dict[str, Any]:
    view = Config(config).view(node.ledger)
    account = node.ledger.account(params.address(mint), view)
    if account is None:
        raise invalid("Invalid param: could not find account")
    found = read_mint(account)
    if found is None:
        raise invalid("Invalid param: not a Token mint")
    return in_context(view, ui_amount(found.supply, found.decimals))


def _get_token_accounts_by_owner(node: Node, owner: Any, wanted: Any, config: Any = None) -> dict[str, Any]:
    wallet = params.address(owner)
    return _token_accounts(node, wanted, config, lambda token: token.owner == wallet)


def _get_token_accounts_by_delegate(node: Node, delegate: Any, wanted: Any, config: Any = None) -> dict[str, Any]:
    agent = params.address(delegate)
    return _token_accounts(node, wanted, config, lambda token: token.delegate == agent)


def _token_accounts(node: Node, wanted: Any, config: Any, belongs: Callable[[TokenAccount], bool]) -> dict[str, Any]:
    config = Config(config)
    view = config.view(node.ledger)
    program, mint = _wanted_tokens(node, Config(wanted))
    found: list[dict[str, Any]] = []
    for address, account in node.ledger.owned_by(program, view):
        token = read_token_account(account)
        if token is not None and belongs(token) and mint in {None, token.mint}:
            found.append({"pubkey": address, "account": account_body(node.ledger, account, config, "binary")})
    return in_context(view, found)


def _wanted_tokens(node: Node, wanted: Config) -> tuple[str, str | None]:
    if wanted.get("mint") is None:
        program = params.address(wanted.get("programId"))
        if program not in programs.TOKENS:
            raise invalid("Invalid param: unrecognized Token program id")
        return program, None
    mint = params.address(wanted.get("mint"))
    found = read_mint(node.ledger.engine.account(mint))
    if found is None:
        raise invalid("Invalid param: could not find mint")
    return found.program, mint


def _get_token_largest_accounts(node: Node, mint: Any, config: Any = None) -> dict[str, Any]:
    view = Config(config).view(node.ledger)
    wanted = params.address(mint)
    program, _ = _wanted_tokens(node, Config({"mint": wanted}))
    held = [
        (token.amount, address)
        for address, account in node.ledger.owned_by(program, view)
        if (token := read_token_account(account)) and token.mint == wanted
    ]
    decimals = node.ledger.decimals(wanted)
    return in_context(view, [{"address": address} | ui_amount(units, decimals) for units, address in sorted(held, reverse=True)[:_LARGEST]])


METHODS: Final = {
    "getBalance": _get_balance,
    "getAccountInfo": _get_account_info,
    "getMultipleAccounts": _get_multiple_accounts,
    "getMinimumBalanceForRentExemption": _get_minimum_balance_for_rent_exemption,
    "getProgramAccounts": _get_program_accounts,
    "getTokenAccountBalance": _get_token_account_balance,
    "getTokenSupply": _get_token_supply,
    "getTokenAccountsByOwner": _get_token_accounts_by_owner,
    "getTokenAccountsByDelegate": _get_token_accounts_by_delegate,
    "getTokenLargestAccounts": _get_token_largest_accounts,
}
