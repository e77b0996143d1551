// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

// Neither contract is ever deployed: both run inside one eth_call, and read the balances of thousands of addresses in it.
//
// What they are given: an asset (20 bytes: a token's contract, or zero for the native coin), and addresses of 20 bytes each.
// What they answer: one word that says how many addresses were read, so that an answer of nothing is never taken for "all are empty";
// then one word for each address whose balance is not zero:
//
//     bit 255        the asset did not tell this balance
//     bits 216-254   the place of the address among those given, from zero
//     bits 0-215     the balance, or all ones where it has more bits than that
//
// The block's own number is not part of it: on some networks that opcode tells the number of another chain's block.

/// Runs in place of an account's code (state override); calldata: asset ++ addresses.
contract Scan {
    fallback() external {
        assembly {
            let asset := shr(96, calldataload(0))
            let count := div(sub(calldatasize(), 20), 20)
            let out := 0x80
            mstore(out, count)
            let end := add(out, 32)
            mstore(0x00, shl(224, 0x70a08231)) // balanceOf(address)
            for { let i := 0 } lt(i, count) { i := add(i, 1) } {
                let owner := shr(96, calldataload(add(20, mul(i, 20))))
                let word := 0
                switch asset
                case 0 { word := balance(owner) }
                default {
                    mstore(0x04, owner)
                    let answered := staticcall(gas(), asset, 0, 0x24, 0x40, 0x20)
                    switch and(answered, gt(returndatasize(), 31))
                    case 1 { word := mload(0x40) }
                    default {
                        mstore(end, or(shl(255, 1), shl(216, i)))
                        end := add(end, 32)
                    }
                }
                if word {
                    if shr(216, word) { word := sub(shl(216, 1), 1) }
                    mstore(end, or(shl(216, i), word))
                    end := add(end, 32)
                }
            }
            return(out, sub(end, out))
        }
    }
}

/// Runs as the creation of a contract (eth_call without a recipient); code ++ asset ++ addresses ++ how many there are (32 bytes).
contract ScanOnce {
    constructor() {
        assembly {
            codecopy(0x80, sub(codesize(), 32), 32)
            let count := mload(0x80)
            let length := add(20, mul(count, 20))
            let given := 0x80
            codecopy(given, sub(sub(codesize(), 32), length), length)
            let asset := shr(96, mload(given))
            let out := add(given, add(length, 32))
            mstore(out, count)
            let end := add(out, 32)
            mstore(0x00, shl(224, 0x70a08231)) // balanceOf(address)
            for { let i := 0 } lt(i, count) { i := add(i, 1) } {
                let owner := shr(96, mload(add(given, add(20, mul(i, 20)))))
                let word := 0
                switch asset
                case 0 { word := balance(owner) }
                default {
                    mstore(0x04, owner)
                    let answered := staticcall(gas(), asset, 0, 0x24, 0x40, 0x20)
                    switch and(answered, gt(returndatasize(), 31))
                    case 1 { word := mload(0x40) }
                    default {
                        mstore(end, or(shl(255, 1), shl(216, i)))
                        end := add(end, 32)
                    }
                }
                if word {
                    if shr(216, word) { word := sub(shl(216, 1), 1) }
                    mstore(end, or(shl(216, i), word))
                    end := add(end, 32)
                }
            }
            return(out, sub(end, out))
        }
    }
}
