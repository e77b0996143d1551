// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// A plain token: the whole supply belongs to whoever deploys it.
contract Coin {
    string public name;
    string public symbol;
    uint8 public immutable decimals;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    constructor(string memory symbol_, uint8 decimals_, uint256 supply) {
        name = symbol_;
        symbol = symbol_;
        decimals = decimals_;
        totalSupply = supply;
        balanceOf[msg.sender] = supply;
        emit Transfer(address(0), msg.sender, supply);
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        allowance[from][msg.sender] -= value;
        _move(from, to, value);
        return true;
    }

    function _move(address from, address to, uint256 value) internal {
        balanceOf[from] -= value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }
}

/// A token whose transfer returns nothing.
contract SilentCoin {
    string public symbol;
    uint8 public immutable decimals;
    mapping(address => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(string memory symbol_, uint8 decimals_, uint256 supply) {
        symbol = symbol_;
        decimals = decimals_;
        balanceOf[msg.sender] = supply;
        emit Transfer(address(0), msg.sender, supply);
    }

    function transfer(address to, uint256 value) external {
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        emit Transfer(msg.sender, to, value);
    }
}

/// Emits whatever looks like a transfer, and moves nothing.
contract Forger {
    /// Any topics, any data.
    function forge(bytes32[] calldata topics, bytes calldata data) external {
        bytes memory copy = data;
        if (topics.length == 1) {
            bytes32 a = topics[0];
            assembly { log1(add(copy, 32), mload(copy), a) }
        } else if (topics.length == 2) {
            (bytes32 a, bytes32 b) = (topics[0], topics[1]);
            assembly { log2(add(copy, 32), mload(copy), a, b) }
        } else if (topics.length == 3) {
            (bytes32 a, bytes32 b, bytes32 c) = (topics[0], topics[1], topics[2]);
            assembly { log3(add(copy, 32), mload(copy), a, b, c) }
        } else {
            (bytes32 a, bytes32 b, bytes32 c, bytes32 d) = (topics[0], topics[1], topics[2], topics[3]);
            assembly { log4(add(copy, 32), mload(copy), a, b, c, d) }
        }
    }
}

interface Transferable {
    function transfer(address to, uint256 value) external;
}

/// Pays many in one transaction: tokens out of its own balance, native coins out of what is sent with the call.
contract Disperse {
    function tokens(address token, address[] calldata to, uint256[] calldata values) external {
        for (uint256 i = 0; i < to.length; i++) Transferable(token).transfer(to[i], values[i]);
    }

    function coins(address payable[] calldata to, uint256[] calldata values) external payable {
        for (uint256 i = 0; i < to.length; i++) {
            (bool ok, ) = to[i].call{value: values[i]}("");
            require(ok);
        }
    }
}
