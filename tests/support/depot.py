"""The deposit factory on a node, and a treasury wallet in the engine, with what tests do to them."""

from engines import ETH

from pepay_core.services.paging import Page
from pepay_core.testing import erc20
from pepay_evm.bytecode import DEPOSIT_FACTORY_EVENTS
from pepay_evm.deposits import DEPLOYER, DEPLOYER_CODE, DEPLOYMENT, FACTORY, flush_call

NATIVE = "0x" + "0" * 40
TREASURY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def word(value):
    """Return an address or a number as the 64 digits that contracts take."""
    return f"{value[2:].lower() if isinstance(value, str) else format(value, 'x'):0>64}"


class Depot:
    def __init__(self, node):
        self.node = node
        assert node.rpc("eth_getCode", DEPLOYER, "latest") == DEPLOYER_CODE
        self.run(DEPLOYER, DEPLOYMENT)

    def run(self, to, data="0x", value=0, gas=10_000_000, sender=None):
        transaction = self.node.send(to, value, data=data, gas=gas, sender=sender)
        self.node.mine()
        return self.node.receipt(transaction)

    def flush(self, treasury, token, refs, gas_each=200_000, gas=12_000_000):
        return self.run(FACTORY, flush_call(treasury, token, refs, gas_each), gas=gas, sender=self.node.accounts[9])

    def failed(self, treasury, token, refs, gas_each=200_000):
        return int(self.node.call(FACTORY, flush_call(treasury, token, refs, gas_each)), 16)

    def coin(self, creation=None):
        return self.node.deploy(creation or erc20.coin("USDC", 6, 10**15))

    def held(self, token, owner):
        return int(self.node.call(token, erc20.balance_of(owner)), 16)

    def events(self, receipt, name="Flushed"):
        topic = next(value for signature, value in DEPOSIT_FACTORY_EVENTS.items() if signature.startswith(name + "("))
        return [log for log in receipt["logs"] if log["address"] == FACTORY.lower() and log["topics"][0] == topic]


async def treasury_wallet(pepay, value=TREASURY):
    """Put a treasury in the place of the engine's own wallet."""
    for wallet in (await pepay.runtime.receiving.page(pepay.caller, Page())).items:
        await pepay.runtime.receiving.archive(pepay.caller, wallet["id"])
    return await pepay.runtime.receiving.create(pepay.caller, "eip155", "treasury", value)


async def waiting(pepay, wallet, asset=ETH):
    shown = await pepay.runtime.receiving.get(pepay.caller, wallet["id"])
    return next(((each["received"], each["swept"], each["waiting"]) for each in shown["balances"] if each["asset"] == asset), None)
