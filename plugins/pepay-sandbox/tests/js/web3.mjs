// A token, a transfer through a lookup table and a few subscriptions, with web3.js and spl-token. Arguments: RPC URL, WebSocket URL.
import {
  AddressLookupTableProgram,
  Connection,
  Keypair,
  LAMPORTS_PER_SOL,
  PublicKey,
  SendTransactionError,
  SystemProgram,
  Transaction,
  TransactionMessage,
  VersionedTransaction,
  sendAndConfirmTransaction,
} from "@solana/web3.js";
import {
  TOKEN_2022_PROGRAM_ID,
  createInitializeMint2Instruction,
  createInitializeTransferFeeConfigInstruction,
  createMint,
  createTransferCheckedInstruction,
  createTransferCheckedWithFeeInstruction,
  ExtensionType,
  getAccount,
  getMint,
  getMintLen,
  getOrCreateAssociatedTokenAccount,
  getTransferFeeConfig,
  mintTo,
} from "@solana/spl-token";

const [url, wsEndpoint] = process.argv.slice(2);
const connection = new Connection(url, { commitment: "confirmed", wsEndpoint });
const [buyer, shop, feeMint, reference] = [1, 2, 3, 4].map(() => Keypair.generate());

const airdrop = await connection.requestAirdrop(buyer.publicKey, 5 * LAMPORTS_PER_SOL);
await connection.confirmTransaction({ signature: airdrop, ...(await connection.getLatestBlockhash()) });

const mint = await createMint(connection, buyer, buyer.publicKey, null, 6);
const source = await getOrCreateAssociatedTokenAccount(connection, buyer, mint, buyer.publicKey);
const destination = await getOrCreateAssociatedTokenAccount(connection, buyer, mint, shop.publicKey);
await mintTo(connection, buyer, mint, source.address, buyer, 40_000_000n);

// A lookup table, and a transfer whose destination is in it only.
const slot = await connection.getSlot("confirmed");
const [creating, table] = AddressLookupTableProgram.createLookupTable({ authority: buyer.publicKey, payer: buyer.publicKey, recentSlot: slot });
const extending = AddressLookupTableProgram.extendLookupTable({
  payer: buyer.publicKey,
  authority: buyer.publicKey,
  lookupTable: table,
  addresses: [destination.address, reference.publicKey, mint],
});
await sendAndConfirmTransaction(connection, new Transaction().add(creating, extending), [buyer]);
const { value: lookup } = await connection.getAddressLookupTable(table);

const logged = new Promise((resolve) => connection.onLogs(reference.publicKey, (logs) => resolve(logs), "confirmed"));
const changed = new Promise((resolve) => connection.onAccountChange(destination.address, (account, context) => resolve([account.data.readBigUInt64LE(64).toString(), context.slot]), { commitment: "confirmed" }));
const rooted = new Promise((resolve) => connection.onRootChange(resolve));
const slotted = new Promise((resolve) => connection.onSlotChange(resolve));
// A subscription has its number when its first notice comes: slots come all the time.
await Promise.all([rooted, slotted]);

const sending = createTransferCheckedInstruction(source.address, mint, destination.address, buyer.publicKey, 1_500_000n, 6);
sending.keys.push({ pubkey: reference.publicKey, isSigner: false, isWritable: false });
const latest = await connection.getLatestBlockhash();
const message = new TransactionMessage({ payerKey: buyer.publicKey, recentBlockhash: latest.blockhash, instructions: [sending] }).compileToV0Message([lookup]);
const versioned = new VersionedTransaction(message);
versioned.sign([buyer]);
const simulated = await connection.simulateTransaction(versioned, { sigVerify: true });
const paid = await connection.sendTransaction(versioned);
await connection.confirmTransaction({ signature: paid, ...latest });
const logs = await logged;
const [balance] = await changed;

const read = await connection.getTransaction(paid, { maxSupportedTransactionVersion: 0 });
const parsed = await connection.getParsedTransaction(paid, { maxSupportedTransactionVersion: 0 });
const history = await connection.getSignaturesForAddress(reference.publicKey);
let unread = "";
try {
  await connection.getTransaction(paid, {});
} catch (error) {
  unread = `${error.code} ${error.message}`;
}

// A token that keeps a part of each transfer.
const size = getMintLen([ExtensionType.TransferFeeConfig]);
await sendAndConfirmTransaction(
  connection,
  new Transaction().add(
    SystemProgram.createAccount({
      fromPubkey: buyer.publicKey,
      newAccountPubkey: feeMint.publicKey,
      space: size,
      lamports: await connection.getMinimumBalanceForRentExemption(size),
      programId: TOKEN_2022_PROGRAM_ID,
    }),
    createInitializeTransferFeeConfigInstruction(feeMint.publicKey, buyer.publicKey, buyer.publicKey, 100, 1_000_000n, TOKEN_2022_PROGRAM_ID),
    createInitializeMint2Instruction(feeMint.publicKey, 2, buyer.publicKey, null, TOKEN_2022_PROGRAM_ID),
  ),
  [buyer, feeMint],
);
const held = (owner) => getOrCreateAssociatedTokenAccount(connection, buyer, feeMint.publicKey, owner, false, "confirmed", undefined, TOKEN_2022_PROGRAM_ID);
const [feeSource, feeDestination] = [await held(buyer.publicKey), await held(shop.publicKey)];
await mintTo(connection, buyer, feeMint.publicKey, feeSource.address, buyer, 100_000n, [], undefined, TOKEN_2022_PROGRAM_ID);
const withFee = createTransferCheckedWithFeeInstruction(feeSource.address, feeMint.publicKey, feeDestination.address, buyer.publicKey, 10_000n, 2, 100n, [], TOKEN_2022_PROGRAM_ID);
const feePaid = await sendAndConfirmTransaction(connection, new Transaction().add(withFee), [buyer]);
const feeParsed = await connection.getParsedTransaction(feePaid, { maxSupportedTransactionVersion: 0 });
const fees = getTransferFeeConfig(await getMint(connection, feeMint.publicKey, "confirmed", TOKEN_2022_PROGRAM_ID));
const arrived = await getAccount(connection, feeDestination.address, "confirmed", TOKEN_2022_PROGRAM_ID);

let declined;
try {
  const tooMuch = SystemProgram.transfer({ fromPubkey: buyer.publicKey, toPubkey: shop.publicKey, lamports: 10 ** 15 });
  await sendAndConfirmTransaction(connection, new Transaction().add(tooMuch), [buyer]);
} catch (error) {
  declined = { typed: error instanceof SendTransactionError, message: error.message, logs: error.logs };
}

console.log(
  JSON.stringify({
    table: lookup.state.addresses.length,
    simulated: simulated.value.err,
    units: simulated.value.unitsConsumed > 0,
    logs: [logs.signature === paid, logs.err],
    balance,
    version: read.version,
    static: read.transaction.message.staticAccountKeys.map(String).includes(destination.address.toBase58()),
    loaded: read.meta.loadedAddresses.writable.map(String).includes(destination.address.toBase58()),
    after: parsed.meta.postTokenBalances.find((each) => each.owner === shop.publicKey.toBase58()).uiTokenAmount,
    lookedUp: parsed.transaction.message.accountKeys.filter((each) => each.source === "lookupTable").length,
    history: history.map((each) => each.signature === paid),
    unread,
    fee: fees.newerTransferFee.transferFeeBasisPoints,
    arrived: arrived.amount.toString(),
    feeSaid: feeParsed.transaction.message.instructions[0].parsed.info.feeAmount.amount,
    programs: new PublicKey(TOKEN_2022_PROGRAM_ID).toBase58(),
    declined,
  }),
);
process.exit(0);
