// Compiles the contracts and writes what the driver and its tests need of them, as Python modules: node build.mjs [FOLDER]
//
// The compiler is pinned by package-lock.json, its settings are below, and no metadata goes into the code: the same sources give the
// same bytes on every machine. With FOLDER the modules are written there instead, to be compared with those that are shipped.
import { readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";
import sha3 from "js-sha3";

const here = dirname(fileURLToPath(import.meta.url));

// Which contracts go into which module.
const modules = [
  {
    path: "src/pepay_evm/bytecode.py",
    says: "The contracts of the driver, compiled: written by ``contracts/build.mjs``, and compared with their sources by a test.",
    sources: ["Deposits.sol"],
    contracts: ["Deposit", "DepositFactory"],
  },
  {
    path: "src/pepay_evm/bytecode_scan.py",
    says: "The code that reads balances inside one eth_call, compiled from ``Scan.sol`` by ``contracts/build.mjs``, and compared with it by a test.",
    sources: ["Scan.sol"],
    contracts: ["ScanOnce"],
    // It stands in for an account's code, so it is wanted as it would be deployed.
    deployed: ["Scan"],
    // It runs on networks of any age, and its size is what every request carries.
    evmVersion: "paris",
    runs: 200,
  },
  {
    path: "../../tests/support/hostile.py",
    says: "Contracts that misbehave, compiled: written by ``contracts/build.mjs``, and compared with their sources by a test.",
    sources: ["Hostile.sol"],
    contracts: ["Reentrant", "Liar", "GasBurner", "Picky", "Closed"],
  },
  {
    path: "tests/contracts/odd_bytecode.py",
    says: "Tokens that misbehave, compiled: written by ``contracts/build.mjs``, and compared with their sources by a test.",
    sources: ["OddTokens.sol"],
    contracts: ["FeeToken", "RebasingToken", "LyingToken", "GuardedToken", "Logic", "Upgradeable", "Purse"],
    evmVersion: "paris",
    runs: 200,
  },
  {
    path: "tests/contracts/payers_bytecode.py",
    says: "Contracts that send native coin, compiled: written by ``contracts/build.mjs``, and compared with their sources by a test.",
    sources: ["Payers.sol"],
    contracts: ["Payer", "Bequest", "Founder"],
    // Nodes are given it at the address that it has on every network.
    deployed: ["Multicall"],
    evmVersion: "paris",
    runs: 200,
  },
];

function compile({ sources, evmVersion = "cancun", runs = 10000 }) {
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(sources.map((name) => [name, { content: readFileSync(join(here, name), "utf8") }])),
    settings: {
      optimizer: { enabled: true, runs },
      evmVersion,
      metadata: { appendCBOR: false, bytecodeHash: "none" },
      outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.methodIdentifiers"] } },
    },
  };
  const found = (path) => ({ contents: readFileSync(join(here, path), "utf8") });
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: found }));
  // 5159: selfdestruct is deprecated; in the transaction that created the contract it keeps its meaning (EIP-6780, EIP-8246).
  const wrong = (output.errors ?? []).filter((each) => each.errorCode !== "5159");
  if (wrong.length) throw new Error(wrong.map((each) => each.formattedMessage).join("\n"));
  return output.contracts;
}

const keccak = (hex) => "0x" + sha3.keccak256(Buffer.from(hex, "hex"));
const constant = (text) => text.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();
const lines = (text, width) => text.match(new RegExp(`.{1,${width}}`, "g")) ?? [];

function text(name, value) {
  const short = `${name}: Final = "${value}"`;
  if (short.length <= 150) return short;
  return `${name}: Final = (\n${lines(value, 144).map((each) => `    "${each}"`).join("\n")}\n)`;
}

function table(name, entries) {
  const rows = Object.entries(entries).sort(([one], [other]) => (one < other ? -1 : 1)).map(([key, value]) => `    "${key}": "${value}",\n`);
  return `${name}: Final = {\n${rows.join("")}}`;
}

function written({ says, contracts, deployed = [], ...how }) {
  const compiled = Object.assign({}, ...Object.values(compile(how)));
  const parts = deployed.map((name) => text(`${constant(name)}_DEPLOYED`, "0x" + compiled[name].evm.deployedBytecode.object));
  for (const name of contracts) {
    const { abi, evm } = compiled[name];
    parts.push(text(`${constant(name)}_CREATION`, "0x" + evm.bytecode.object));
    if (name === "Deposit") parts.push(text("DEPOSIT_INIT_CODE_HASH", keccak(evm.bytecode.object)));
    const signature = (each) => `${each.name}(${each.inputs.map((input) => input.type).join(",")})`;
    const calls = Object.fromEntries(Object.entries(evm.methodIdentifiers).map(([call, selector]) => [call, "0x" + selector]));
    const events = abi.filter((each) => each.type === "event").map((each) => [signature(each), "0x" + sha3.keccak256(signature(each))]);
    const errors = abi.filter((each) => each.type === "error").map((each) => [signature(each), "0x" + sha3.keccak256(signature(each)).slice(0, 8)]);
    if (Object.keys(calls).length) parts.push(table(`${constant(name)}_CALLS`, calls));
    if (events.length) parts.push(table(`${constant(name)}_EVENTS`, Object.fromEntries(events)));
    if (errors.length) parts.push(table(`${constant(name)}_ERRORS`, Object.fromEntries(errors)));
  }
  return `"""${says}"""\n\nfrom __future__ import annotations\n\nfrom typing import Final\n\n${parts.join("\n\n")}\n`;
}

for (const module of modules) {
  const target = process.argv[2] ? join(process.argv[2], basename(module.path)) : join(here, "..", module.path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, written(module));
}
