// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {DepositFactory} from "./Deposits.sol";

/// Something that can be sent about like a token, and misbehaves when it is.
abstract contract Odd {
    mapping(address => uint256) public balances;

    event Transfer(address indexed from, address indexed to, uint256 value);

    function mint(address to, uint256 value) external {
        balances[to] += value;
        emit Transfer(address(0), to, value);
    }

    function balanceOf(address owner) external view virtual returns (uint256) {
        return balances[owner];
    }

    function _move(address to, uint256 value) internal {
        balances[msg.sender] -= value;
        balances[to] += value;
        emit Transfer(msg.sender, to, value);
    }
}

/// While it is moved, it calls the factory back to have other deposits flushed, or the same, to somebody else.
contract Reentrant is Odd {
    DepositFactory public immutable factory;
    address payable public thief;
    address public loot;
    bytes32[] public refs;
    uint256 public refusals;

    constructor(DepositFactory factory_) {
        factory = factory_;
    }

    function prepare(address payable thief_, address loot_, bytes32[] calldata refs_) external {
        (thief, loot, refs) = (thief_, loot_, refs_);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        try factory.flush(thief, loot, refs, 1) {} catch {
            ++refusals;
        }
        _move(to, value);
        return true;
    }
}

/// It says that it was moved, and was not.
contract Liar is Odd {
    function transfer(address, uint256) external pure returns (bool) {
        return true;
    }
}

/// It uses up whatever gas it is given.
contract GasBurner is Odd {
    function transfer(address, uint256) external pure returns (bool) {
        assembly {
            invalid()
        }
    }
}

/// It refuses to be moved away from some addresses, as tokens with a block list do.
contract Picky is Odd {
    mapping(address => bool) public blocked;

    function block_(address owner, bool yes) external {
        blocked[owner] = yes;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        require(!blocked[msg.sender], "blocked");
        _move(to, value);
        return true;
    }
}

/// It takes no native coin until it is opened.
contract Closed {
    bool public isOpen;

    function open() external {
        isOpen = true;
    }

    receive() external payable {
        require(isOpen, "closed");
    }
}
