// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// What is to be moved out of one deposit, and how much gas a foreign contract may take for it.
struct Job {
    address payable treasury;
    address token;
    uint256 amount;
    uint256 gasEach;
}

/// A deposit exists for the length of one call: its constructor moves the money to the treasury and destroys it again.
///
/// Nothing stays at the address. So it takes payments with the 21,000 gas of a plain transfer before and after, and can be
/// flushed as often as there is something to flush. Its code has no owner, no parameter and no way out but the treasury.
contract Deposit {
    error TokenRefused();
    error TreasuryRefused();

    constructor() {
        Job memory job = DepositFactory(msg.sender).job();
        if (job.amount != 0) {
            // transfer(treasury, amount): some well-known tokens return nothing; what returns something must return true.
            (bool done, bytes memory answer) = job.token.call{gas: job.gasEach}(abi.encodeWithSelector(0xa9059cbb, job.treasury, job.amount));
            if (!done || !(answer.length == 0 || (answer.length >= 32 && uint256(bytes32(answer)) == 1))) revert TokenRefused();
        }
        if (address(this).balance != 0 && job.treasury.code.length != 0) {
            // By a call, which a contract may refuse: destruction alone would force the coins upon one that cannot spend them.
            (bool taken,) = job.treasury.call{value: address(this).balance, gas: job.gasEach}("");
            if (!taken) revert TreasuryRefused();
        }
        // To an account without code this moves the coins, at no cost of its own.
        selfdestruct(job.treasury);
    }
}

/// Moves money from deposits to the treasury that is inside their addresses. Anybody may call it, and nobody owns it.
///
/// The address of a deposit is that of CREATE2 from this contract with salt `keccak256(abi.encode(treasury, ref))` and the one
/// creation code of `Deposit`. Another treasury makes another address, so whoever flushes can only pay for the gas.
contract DepositFactory {
    /// `amount` of a token, or of the native coin where `token` is zero, went from a deposit to its treasury.
    event Flushed(address indexed treasury, address indexed deposit, address indexed token, uint256 amount);
    /// A deposit could not be flushed; everything in it is where it was.
    event Refused(address indexed treasury, address indexed deposit, address indexed token, bytes32 ref);

    /// A token or a treasury called back into a running flush.
    error Busy();
    /// A bitmap of 256 bits tells which deposits failed.
    error TooMany();
    /// There was less than `gasEach` left before the item: too little gas must not look like a deposit that refuses.
    error TooLittleGas(uint256 item);
    error NoTreasury();

    /// keccak256 of the creation code of `Deposit`.
    bytes32 public immutable initCodeHash = keccak256(type(Deposit).creationCode);

    bool private transient _busy;
    address payable private transient _treasury;
    address private transient _token;
    uint256 private transient _amount;
    uint256 private transient _gasEach;

    /// What the deposit that is being created must do. Zero at any other time.
    function job() external view returns (Job memory) {
        return Job(_treasury, _token, _amount, _gasEach);
    }

    /// The address of a deposit.
    function depositOf(address treasury, bytes32 ref) public view returns (address) {
        return _at(keccak256(abi.encode(treasury, ref)));
    }

    /// Move everything of one token, and the native coin, from up to 256 deposits to their treasury; `token` zero: the native coin alone.
    ///
    /// `gasEach` must be left before each deposit, or all is undone; it is also the most that the token or the treasury may use at once.
    /// Bit `i` of `failed` is set where the deposit of `refs[i]` kept something. An empty deposit is passed over.
    function flush(address payable treasury, address token, bytes32[] calldata refs, uint256 gasEach) external returns (uint256 failed) {
        if (_busy) revert Busy();
        if (refs.length > 256) revert TooMany();
        if (treasury == address(0)) revert NoTreasury();
        _busy = true;
        bytes memory code = type(Deposit).creationCode;
        for (uint256 i; i < refs.length; ++i) {
            if (gasleft() < gasEach) revert TooLittleGas(i);
            if (!_flush(treasury, token, refs[i], gasEach, code)) failed |= 1 << i;
        }
        (_busy, _treasury, _token, _amount, _gasEach) = (false, payable(0), address(0), 0, 0);
    }

    function _flush(address payable treasury, address token, bytes32 ref, uint256 gasEach, bytes memory code) private returns (bool) {
        bytes32 salt = keccak256(abi.encode(treasury, ref));
        address deposit = _at(salt);
        uint256 coins = deposit.balance;
        uint256 held;
        bool told = true;
        if (token != address(0)) (told, held) = _held(token, deposit, gasEach);
        if (told && coins == 0 && held == 0) return true;

        // Written before every single creation, so that nothing which ran in between can have left another job behind.
        (_treasury, _token, _amount, _gasEach) = (treasury, token, held, gasEach);
        address made;
        if (told) {
            assembly ("memory-safe") {
                made := create2(0, add(code, 32), mload(code), salt)
            }
        }
        if (made == address(0)) {
            emit Refused(treasury, deposit, token, ref);
            return false;
        }
        if (coins != 0) emit Flushed(treasury, deposit, address(0), coins);
        if (held == 0) return true;
        uint256 left;
        (told, left) = _held(token, deposit, gasEach);
        // What a token says that it moved is believed only as far as the deposit has less of it now.
        if (told && left < held) {
            emit Flushed(treasury, deposit, token, held - left);
            return true;
        }
        emit Refused(treasury, deposit, token, ref);
        return false;
    }

    function _at(bytes32 salt) private view returns (address) {
        return address(uint160(uint256(keccak256(abi.encodePacked(bytes1(0xff), address(this), salt, initCodeHash)))));
    }

    /// balanceOf(deposit), and whether the token told it.
    function _held(address token, address deposit, uint256 gasEach) private view returns (bool, uint256) {
        (bool done, bytes memory answer) = token.staticcall{gas: gasEach}(abi.encodeWithSelector(0x70a08231, deposit));
        if (!done || answer.length < 32) return (false, 0);
        return (true, uint256(bytes32(answer)));
    }
}
