// A wallet and a token, made and moved with kit. Arguments: package, RPC URL, WebSocket URL.
import { getCreateAccountInstruction, getTransferSolInstruction } from "@solana-program/system";
import {
  TOKEN_PROGRAM_ADDRESS,
  findAssociatedTokenPda,
  getCreateAssociatedTokenIdempotentInstruction,
  getInitializeMint2Instruction,
  getMintSize,
  getMintToInstruction,
  getTransferCheckedInstruction,
} from "@solana-program/token";

const [kitName, url, wsUrl] = process.argv.slice(2);
const kit = await import(kitName);
const rpc = kit.createSolanaRpc(url);
const rpcSubscriptions = kit.createSolanaRpcSubscriptions(wsUrl);
const sendAndConfirm = kit.sendAndConfirmTransactionFactory({ rpc, rpcSubscriptions });
const airdrop = kit.airdropFactory({ rpc, rpcSubscriptions });

const [buyer, mint, shop] = await Promise.all([1, 2, 3].map(() => kit.generateKeyPairSigner()));

async function send(payer, instructions, version = 0) {
  const { value: latest } = await rpc.getLatestBlockhash({ commitment: "confirmed" }).send();
  const message = kit.pipe(
    kit.createTransactionMessage({ version }),
    (m) => kit.setTransactionMessageFeePayerSigner(payer, m),
    (m) => kit.setTransactionMessageLifetimeUsingBlockhash(latest, m),
    (m) => kit.appendTransactionMessageInstructions(instructions, m),
  );
  const transaction = await kit.signTransactionMessageWithSigners(message);
  await sendAndConfirm(transaction, { commitment: "confirmed" });
  return kit.getSignatureFromTransaction(transaction);
}

const airdropped = await airdrop({ commitment: "confirmed", lamports: kit.lamports(2_000_000_000n), recipientAddress: buyer.address });

const space = BigInt(getMintSize());
const rent = await rpc.getMinimumBalanceForRentExemption(space).send();
const [source] = await findAssociatedTokenPda({ owner: buyer.address, mint: mint.address, tokenProgram: TOKEN_PROGRAM_ADDRESS });
const [destination] = await findAssociatedTokenPda({ owner: shop.address, mint: mint.address, tokenProgram: TOKEN_PROGRAM_ADDRESS });
const accountFor = (owner, ata) => getCreateAssociatedTokenIdempotentInstruction({ payer: buyer, ata, owner, mint: mint.address });
await send(buyer, [
  getCreateAccountInstruction({ payer: buyer, newAccount: mint, lamports: rent, space, programAddress: TOKEN_PROGRAM_ADDRESS }),
  getInitializeMint2Instruction({ mint: mint.address, decimals: 6, mintAuthority: buyer.address }),
  accountFor(buyer.address, source),
  accountFor(shop.address, destination),
  getMintToInstruction({ mint: mint.address, token: source, mintAuthority: buyer, amount: 50_000_000n }),
]);

// Iteration begins before the transfer is sent: what comes earlier is dropped.
const stop = new AbortController();
const notifications = await rpcSubscriptions.accountNotifications(destination, { commitment: "confirmed", encoding: "jsonParsed" }).subscribe({ abortSignal: stop.signal });
const noticed = notifications[Symbol.asyncIterator]().next();

const paid = await send(buyer, [getTransferCheckedInstruction({ source, mint: mint.address, destination, authority: buyer, amount: 5_250_000n, decimals: 6 })]);
const told = (await noticed).value;
stop.abort();

const legacy = await send(buyer, [getTransferSolInstruction({ source: buyer, destination: shop.address, amount: 1_000_000n })], "legacy");

const read = (encoding) => rpc.getTransaction(paid, { commitment: "confirmed", encoding, maxSupportedTransactionVersion: 0 }).send();
const [json, parsed, base64] = [await read("json"), await read("jsonParsed"), await read("base64")];
const decoded = kit.getTransactionDecoder().decode(kit.getBase64Encoder().encode(base64.transaction[0]));
const history = await rpc.getSignaturesForAddress(destination, { commitment: "confirmed", limit: 10 }).send();
const held = await rpc.getTokenAccountsByOwner(shop.address, { mint: mint.address }, { commitment: "confirmed", encoding: "jsonParsed" }).send();
const statuses = await rpc.getSignatureStatuses([airdropped, paid, legacy]).send();
let tooBig;
try {
  await send(buyer, [getTransferSolInstruction({ source: buyer, destination: shop.address, amount: 10n ** 15n })]);
} catch (error) {
  tooBig = { preflight: kit.isSolanaError(error, kit.SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE), cause: error.cause?.message };
}

const plain = (key, value) => (typeof value === "bigint" ? value.toString() : value);
console.log(
  JSON.stringify(
    {
      shop: shop.address,
      mint: mint.address,
      told: { slot: told.context.slot, amount: told.value.data.parsed.info.tokenAmount.amount },
      version: json.version,
      fee: json.meta.fee,
      after: json.meta.postTokenBalances,
      instruction: parsed.transaction.message.instructions[0].parsed,
      sameSignature: Object.values(decoded.signatures).length === 1 && kit.getSignatureFromTransaction(decoded) === paid,
      history: history.map((each) => [each.signature === paid, each.err]),
      held: held.value.map((each) => each.account.data.parsed.info.tokenAmount.uiAmountString),
      lamports: (await rpc.getBalance(shop.address, { commitment: "confirmed" }).send()).value,
      errors: statuses.value.map((each) => each.err),
      tooBig,
    },
    plain,
  ),
);
process.exit(0);
