import pytest
from depot import NATIVE, Depot, word

from pepay_core.api import InvalidAddress, InvalidInput, NoDestination
from pepay_core.testing import erc20
from pepay_evm.bytecode import DEPOSIT_FACTORY_CALLS, DEPOSIT_FACTORY_ERRORS
from pepay_evm.deposits import DEPLOYER, DEPLOYER_CODE, FACTORY, Treasury, flush_call

TREASURY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.fixture
def depot(anvil):
    return Depot(anvil)


def test_the_factory_stands_where_it_was_computed_to_be_and_knows_the_same_addresses(depot):
    treasury = Treasury.new(TREASURY)

    assert depot.node.rpc("eth_getCode", FACTORY, "latest") != "0x"
    for index in (0, 1, 2**128 - 1):
        data = DEPOSIT_FACTORY_CALLS["depositOf(address,bytes32)"] + word(TREASURY) + treasury.ref(index).hex()
        assert depot.node.call(FACTORY, data)[-40:] == treasury.deposit(index)[2:].lower()


def test_two_wallets_of_one_treasury_share_no_address():
    one, other = Treasury.new(TREASURY), Treasury.new(TREASURY)

    assert not {one.deposit(index) for index in range(50)} & {other.deposit(index) for index in range(50)}


def test_the_addresses_are_found_again_from_the_recovery_line_alone():
    treasury = Treasury.new(TREASURY)

    assert Treasury.read(str(treasury)) == treasury
    assert Treasury.read(str(treasury)).deposit(7) == treasury.deposit(7)


@pytest.mark.parametrize("text", ["0x" + "0" * 40, "0x" + "0" * 38 + "09", FACTORY, DEPLOYER, "0x1234"])
def test_a_treasury_from_which_nothing_comes_back_is_refused(text):
    with pytest.raises(InvalidAddress):
        Treasury.new(text)


def test_a_recovery_line_makes_no_new_wallet_because_its_addresses_were_given_out():
    with pytest.raises(InvalidInput, match="recovery line"):
        Treasury.new(str(Treasury.new(TREASURY)))


def test_there_is_an_end_to_the_addresses():
    with pytest.raises(NoDestination):
        Treasury.new(TREASURY).ref(2**128)


def test_money_that_was_there_before_anything_else_goes_to_the_treasury_and_the_address_stays_as_it_was(depot):
    treasury, token = Treasury.new(TREASURY), depot.coin()
    address = treasury.deposit(0)
    before = depot.node.balance(TREASURY)
    for round_ in (1, 2):
        # 21,000 gas, as exchanges send it: there is no code at the address that would need more.
        assert int(depot.run(address, value=10**18, gas=21_000)["status"], 16) == 1
        depot.run(token, erc20.transfer(address, 5_000_000))

        receipt = depot.flush(TREASURY, token, [treasury.ref(0)])

        assert int(receipt["status"], 16) == 1
        assert depot.node.balance(TREASURY) == before + round_ * 10**18
        assert depot.held(token, TREASURY) == round_ * 5_000_000
        assert depot.node.balance(address) == depot.held(token, address) == 0
        assert depot.node.rpc("eth_getCode", address, "latest") == "0x"
        assert [log["topics"][1:3] for log in depot.events(receipt)] == [["0x" + word(TREASURY), "0x" + word(address)]] * 2
        assert [(log["topics"][3], int(log["data"], 16)) for log in depot.events(receipt)] == [
            ("0x" + word(NATIVE), 10**18),
            ("0x" + word(token), 5_000_000),
        ]


def test_a_token_that_returns_nothing_is_moved(depot):
    treasury, token = Treasury.new(TREASURY), depot.coin(erc20.silent_coin("USDT", 6, 10**15))
    depot.run(token, erc20.transfer(treasury.deposit(0), 7))

    depot.flush(TREASURY, token, [treasury.ref(0)])

    assert depot.held(token, TREASURY) == 7


def test_an_empty_deposit_is_passed_over(depot):
    treasury, token = Treasury.new(TREASURY), depot.coin()
    refs = [treasury.ref(index) for index in range(3)]
    depot.run(token, erc20.transfer(treasury.deposit(1), 7))

    receipt = depot.flush(TREASURY, token, refs)

    assert depot.failed(TREASURY, token, refs) == 0
    assert len(depot.events(receipt)) == 1
    assert not depot.events(receipt, "Refused")


def test_a_deposit_that_stands_in_a_batch_twice_is_moved_once(depot):
    treasury, token = Treasury.new(TREASURY), depot.coin()
    depot.run(token, erc20.transfer(treasury.deposit(1), 7))

    receipt = depot.flush(TREASURY, token, [treasury.ref(1)] * 2)

    assert len(depot.events(receipt)) == 1
    assert depot.held(token, TREASURY) == 7


def test_too_little_gas_undoes_all_instead_of_looking_like_a_refusal(depot):
    treasury, token = Treasury.new(TREASURY), depot.coin()
    refs = [treasury.ref(index) for index in range(10)]
    for index in range(10):
        depot.run(token, erc20.transfer(treasury.deposit(index), 7))

    # Whatever the gas: all ten, or nothing at all.
    for gas in range(150_000, 750_000, 50_000):
        receipt = depot.flush(TREASURY, token, refs, gas_each=100_000, gas=gas)
        done = int(receipt["status"], 16)
        assert depot.held(token, TREASURY) == (70 if done else 0)
        assert len(depot.events(receipt)) == (10 if done else 0)
        if done:
            break
    else:
        pytest.fail("no gas was enough")


@pytest.mark.parametrize(("refs", "treasury", "error"), [(257, TREASURY, "TooMany()"), (1, NATIVE, "NoTreasury()")])
def test_what_cannot_be_done_is_refused_as_a_whole(depot, refs, treasury, error):
    answer = depot.run(FACTORY, flush_call(treasury, NATIVE, [bytes(32)] * refs, 1))

    assert int(answer["status"], 16) == 0
    trace = depot.node.rpc("debug_traceTransaction", answer["transactionHash"], {"tracer": "callTracer"})
    assert trace["output"] == DEPOSIT_FACTORY_ERRORS[error]


def test_the_constants_are_those_of_the_deployer_that_networks_have():
    assert DEPLOYER == "0x4e59b44847b379578588920cA78FbF26c0B4956C"
    assert len(DEPLOYER_CODE) == 2 + 2 * 69
