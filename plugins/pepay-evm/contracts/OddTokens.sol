// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// What the odd tokens below have in common: balances that whoever deploys them can fill, and decimals.
abstract contract Balances {
    uint8 public immutable decimals;
    mapping(address => uint256) internal held;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(uint8 decimals_, uint256 supply) {
        decimals = decimals_;
        held[msg.sender] = supply;
    }

    function balanceOf(address owner) public view virtual returns (uint256) {
        return held[owner];
    }

    function _move(address from, address to, uint256 value) internal {
        held[from] -= value;
        held[to] += value;
    }
}

/// Keeps a part of every transfer: what arrives is less than what is sent. Its events say so in one of three ways.
contract FeeToken is Balances {
    uint256 public immutable points;
    uint8 public immutable telling; // 0: what arrives, and the fee; 1: what is sent; 2: what is sent, and the fee as if the recipient paid it
    address constant COLLECTOR = address(0xFEE);

    constructor(uint8 decimals_, uint256 supply, uint256 points_, uint8 telling_) Balances(decimals_, supply) {
        points = points_;
        telling = telling_;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        uint256 fee = (value * points) / 10_000;
        _move(msg.sender, to, value - fee);
        _move(msg.sender, COLLECTOR, fee);
        emit Transfer(msg.sender, to, telling == 0 ? value - fee : value);
        if (telling == 0) emit Transfer(msg.sender, COLLECTOR, fee);
        if (telling == 2) emit Transfer(to, COLLECTOR, fee);
        return true;
    }
}

/// Multiplies all balances at once, without an event.
contract RebasingToken is Balances {
    uint256 public percent = 100;

    constructor(uint8 decimals_, uint256 supply) Balances(decimals_, supply) {}

    function rebase(uint256 percent_) external {
        percent = percent_;
    }

    function balanceOf(address owner) public view override returns (uint256) {
        return (held[owner] * percent) / 100;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, (value * 100) / percent);
        emit Transfer(msg.sender, to, value);
        return true;
    }
}

/// Says one thing and does another.
contract LyingToken is Balances {
    uint8 public mode; // how balanceOf answers: 0 the truth, 1 the same for everybody, 2 nothing, 3 it reverts, 4 too little data

    event TransferSingle(address indexed operator, address indexed from, address indexed to, uint256 id, uint256 value);

    constructor(uint8 decimals_, uint256 supply) Balances(decimals_, supply) {}

    function answer(uint8 mode_) external {
        mode = mode_;
    }

    function balanceOf(address owner) public view override returns (uint256) {
        if (mode == 1) return 1 << 200;
        if (mode == 2) return 0;
        if (mode == 3) revert("not today");
        if (mode == 4) assembly { return(0, 1) }
        return held[owner];
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        emit Transfer(msg.sender, to, value);
        return true;
    }

    /// Moves `moved` to `to`, and says that `said` went to `named`.
    function lie(address named, uint256 said, address to, uint256 moved) external {
        _move(msg.sender, to, moved);
        emit Transfer(msg.sender, named, said);
    }

    /// Says that something left `from`.
    function pretend(address from, address to, uint256 value) external {
        emit Transfer(from, to, value);
    }

    /// Moves without a word.
    function slip(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    /// Says what a collection of things that are each unlike the other says: the same first topic, and a fourth.
    function give(address to, uint256 id) external {
        address from = msg.sender;
        assembly { log4(0, 0, 0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef, from, to, id) }
    }

    /// Says what a collection of several kinds of things says.
    function giveSome(address to, uint256 id, uint256 value) external {
        emit TransferSingle(msg.sender, msg.sender, to, id, value);
    }

    /// Says many times that nothing was sent.
    function poison(address to, uint256 times) external {
        for (uint256 i = 0; i < times; i++) emit Transfer(msg.sender, to, 0);
    }
}

/// Can be stopped, and refuses some accounts: by reverting, or by returning false.
contract GuardedToken is Balances {
    bool public paused;
    bool public polite;
    mapping(address => bool) public blocked;

    constructor(uint8 decimals_, uint256 supply) Balances(decimals_, supply) {}

    function pause(bool paused_) external {
        paused = paused_;
    }

    function block_(address account) external {
        blocked[account] = true;
    }

    function bePolite() external {
        polite = true;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        if (paused || blocked[to] || blocked[msg.sender] || value == 0) {
            if (polite) return false;
            revert("refused");
        }
        _move(msg.sender, to, value);
        emit Transfer(msg.sender, to, value);
        return true;
    }
}

/// What stands behind an upgradeable token.
contract Logic {
    uint8 public immutable decimals;
    mapping(address => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function mint(uint256 value) external {
        balanceOf[msg.sender] += value;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        emit Transfer(msg.sender, to, value);
        return true;
    }
}

/// A token whose code can be exchanged, with the implementation where EIP-1967 has it.
contract Upgradeable {
    bytes32 constant SLOT = bytes32(uint256(keccak256("eip1967.proxy.implementation")) - 1);

    constructor(address logic) {
        _set(logic);
    }

    function upgradeTo(address logic) external {
        _set(logic);
    }

    function _set(address logic) internal {
        bytes32 slot = SLOT;
        assembly { sstore(slot, logic) }
    }

    fallback() external {
        bytes32 slot = SLOT;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), sload(slot), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(ok) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}

interface Movable {
    function transfer(address to, uint256 value) external returns (bool);
}

/// Passes on what it holds, as a deposit address does that is emptied.
contract Purse {
    function spend(address token, address to, uint256 value) external {
        Movable(token).transfer(to, value);
    }
}
