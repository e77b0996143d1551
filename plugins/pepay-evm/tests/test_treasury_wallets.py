import pytest
from depot import Depot

from pepay_core.api import InvalidAddress, NoDestination, NotReady, Reference, Verdict
from pepay_core.clock import SystemClock
from pepay_core.testing import erc20
from pepay_core.testing.anvil import Anvil
from pepay_evm.deposits import DEPLOYER, Treasury
from pepay_evm.networks import erc20 as token_of
from pepay_evm.readiness import DepositsCheck

TREASURY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.fixture
async def chain(anvil, make_chain):
    chain = make_chain(anvil.url)
    await chain.open()
    return chain


async def test_a_treasury_gives_each_index_an_address_that_is_known_without_asking_anybody(chain, anvil):
    material = chain.parse_wallet("treasury", TREASURY.lower())
    anvil.stop()

    issued = {(await chain.issue(material, Reference(index, bytes(32)))).address for index in range(20)}

    assert issued == {Treasury.read(material.value).deposit(index) for index in range(20)}
    assert len(issued) == 20


async def test_a_treasury_is_shown_with_the_line_that_finds_its_deposits_again(chain):
    material = chain.parse_wallet("treasury", TREASURY.lower())

    view = chain.show_wallet(material)

    assert (view.value, view.followed) == (TREASURY, True)
    assert Treasury.read(view.recovery).address == TREASURY


async def test_a_token_is_no_treasury(anvil, make_chain):
    token = anvil.deploy(erc20.coin("USDC", 6, 1))
    chain = make_chain(anvil.url, tokens=(token_of("eip155:31337", "USDC", token, 6, "usd-coin"),))

    with pytest.raises(InvalidAddress, match="contract of USDC"):
        chain.parse_wallet("treasury", token)


async def test_a_network_without_the_deployer_takes_no_payments_to_a_treasury_and_says_why(anvil, make_chain):
    anvil.rpc("anvil_setCode", DEPLOYER, "0x")
    chain = make_chain(anvil.url)
    await chain.open()

    assert "no CREATE2 deployer" in chain.refused_kinds["treasury"]
    with pytest.raises(NoDestination, match="no CREATE2 deployer"):
        await chain.issue(chain.parse_wallet("treasury", TREASURY), Reference(0, bytes(32)))
    listed = chain.parse_wallet("addresses", [TREASURY])
    assert (await chain.issue(listed, Reference(0, bytes(32)))).address == TREASURY


async def test_a_network_that_is_too_old_for_the_factory_takes_no_payments_to_a_treasury(make_chain, anvil):
    with Anvil(options=["--hardfork", "shanghai"]) as old:
        chain = make_chain(old.url)
        await chain.open()

        assert "Cancun" in chain.refused_kinds["treasury"]


async def test_a_node_that_breaks_off_while_it_is_asked_has_refused_nothing(proxy, make_chain):
    proxy.on("eth_getCode", lambda _params, _result: None)
    chain = make_chain(proxy.url)

    with pytest.raises(NotReady):
        await chain.open()


async def test_doctor_says_what_can_be_done_with_deposits(anvil, http, make_network):
    async def told():
        (finding,) = await DepositsCheck(make_network(anvil.url), http, SystemClock()).run()
        assert finding.verdict is Verdict.OK
        return finding.message

    assert "pepay evm deploy-factory dev" in await told()
    Depot(anvil)
    assert "the factory is deployed" in await told()
    anvil.rpc("anvil_setCode", DEPLOYER, "0x")
    assert "cannot be used" in await told()
    anvil.stop()
    assert await DepositsCheck(make_network(anvil.url), http, SystemClock()).run() == []
