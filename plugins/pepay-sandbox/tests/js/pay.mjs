// A Solana Pay wallet that pays what a URL asks for, and a shop that finds and checks it. Arguments: RPC URL, WebSocket URL, the URL to pay,
// the buyer's key as JSON.
import { createKeyPairSignerFromBytes, createSolanaRpc, createSolanaRpcSubscriptions } from "@solana/kit";
import { createWalletClient, findReference, parseURL, validateTransfer, watchReference } from "@solana/pay";

const [url, wsUrl, asked, key] = process.argv.slice(2);
const rpc = createSolanaRpc(url);
const rpcSubscriptions = createSolanaRpcSubscriptions(wsUrl);
const payer = await createKeyPairSignerFromBytes(new Uint8Array(JSON.parse(key)));
const wallet = createWalletClient({ rpcUrl: url, rpcSubscriptionsUrl: wsUrl, payer });

const wanted = parseURL(asked);
const [reference] = wanted.reference;
const watching = watchReference(rpcSubscriptions, reference);
// Subscriptions are answered in order: when this one is there, so is the one before.
await rpcSubscriptions.slotNotifications().subscribe({ abortSignal: new AbortController().signal });
const instructions = await wallet.pay.createTransfer(wanted);
await wallet.sendTransaction(instructions);
const seen = await watching;

const found = await findReference(rpc, reference, { finality: "confirmed" });
const { recipient, amount, splToken, memo } = wanted;
const checked = await validateTransfer(rpc, found.signature, { recipient, amount, splToken, reference: wanted.reference, memo });
let wrong = "";
try {
  await validateTransfer(rpc, found.signature, { recipient, amount: amount + 1, splToken, reference: wanted.reference });
} catch (error) {
  wrong = error.message;
}
console.log(JSON.stringify({ seen: seen.signature, failed: seen.err, found: found.signature, memo: found.memo, error: checked.meta.err, wrong }));
process.exit(0);
