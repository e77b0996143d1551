// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// Every way in which contracts send native coin.
contract Payer {
    /// A batch payout that goes on when one of its payments fails.
    function tryEach(address payable[] calldata to, uint256[] calldata values) external payable {
        for (uint256 i = 0; i < to.length; i++) {
            (bool ok, ) = to[i].call{value: values[i]}("");
            ok;
        }
    }

    /// Pays, and then undoes it: the call is made from outside by `payAround`.
    function payAndFail(address payable to) external payable {
        (bool ok, ) = to.call{value: msg.value}("");
        require(ok);
        revert();
    }

    /// Pays before and after a payment that is undone, in one transaction.
    function payAround(address payable to, uint256 first, uint256 undone, uint256 second) external payable {
        (bool ok, ) = to.call{value: first}("");
        require(ok);
        (bool failed, ) = address(this).call{value: undone}(abi.encodeCall(this.payAndFail, (to)));
        require(!failed);
        (ok, ) = to.call{value: second}("");
        require(ok);
    }

    /// What a smart wallet does: calls whatever it is told, with value.
    function execute(address to, uint256 value, bytes calldata data) external payable {
        (bool ok, ) = to.call{value: value}(data);
        require(ok);
    }

    /// Leaves everything to somebody, from a contract that exists for this transaction only.
    function bequeath(address payable to, bytes32 salt) external payable {
        new Bequest{value: msg.value, salt: salt}(to);
    }

    receive() external payable {}
}

/// Destroys itself in its constructor: what it was given goes to the heir without a call.
contract Bequest {
    constructor(address payable heir) payable {
        selfdestruct(heir);
    }
}

/// Pays in its constructor, and stays.
contract Founder {
    constructor(address payable to, uint256 value) payable {
        (bool ok, ) = to.call{value: value}("");
        require(ok);
    }
}

/// The part of Multicall3 that reads balances.
contract Multicall {
    struct Call {
        address target;
        bool allowFailure;
        bytes callData;
    }

    struct Result {
        bool success;
        bytes returnData;
    }

    function aggregate3(Call[] calldata calls) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            (results[i].success, results[i].returnData) = calls[i].target.call(calls[i].callData);
            require(results[i].success || calls[i].allowFailure);
        }
    }

    function getEthBalance(address owner) external view returns (uint256) {
        return owner.balance;
    }
}
