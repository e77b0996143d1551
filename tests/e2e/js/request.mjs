// A wallet that is given a transaction request: asks what it is about, has the transaction made, signs and sends it.
// Arguments: which kit, RPC URL, the link, the buyer's key as JSON.
const [kitName, url, link, key] = process.argv.slice(2);
const kit = await import(kitName);
const rpc = kit.createSolanaRpc(url);
const payer = await kit.createKeyPairSignerFromBytes(new Uint8Array(JSON.parse(key)));

const preflight = await fetch(link, { method: "OPTIONS", headers: { Origin: "https://wallet.example", "Access-Control-Request-Method": "POST" } });
const about = await (await fetch(link)).json();
const response = await fetch(link, {
  method: "POST",
  headers: { "Content-Type": "application/json", Origin: "https://wallet.example" },
  body: JSON.stringify({ account: payer.address }),
});
const answer = await response.json();
const origins = [preflight, response].map((each) => each.headers.get("access-control-allow-origin"));
if (!response.ok) {
  console.log(JSON.stringify({ about, origins, refused: answer }));
  process.exit(0);
}

const unsigned = kit.getTransactionDecoder().decode(kit.getBase64Encoder().encode(answer.transaction));
const signed = await kit.signTransaction([payer.keyPair], unsigned);
const wire = kit.getBase64EncodedWireTransaction(signed);
await rpc.sendTransaction(wire, { encoding: "base64", preflightCommitment: "confirmed" }).send();
console.log(JSON.stringify({ about, origins, message: answer.message, signature: kit.getSignatureFromTransaction(signed) }));
process.exit(0);
