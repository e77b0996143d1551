// The wallets of the page that this runs in: found by EIP-6963 and the Wallet Standard, asked to connect, and asked to pay.
// Used by the hosted page, and by the shop's page that lends its wallets to a checkout in a frame.

export type Family = "eip155" | "solana";

/** What a wallet can be asked, by its method, with the parameters that it takes; the server writes it. */
export type Requests = Record<string, any[]>;

/** A wallet that can pay: in this page, or lent by the page around it. */
export interface Wallet {
  id: string;
  name: string;
  icon: string;
  family: Family;
  /** Ask for an account, and return its address. */
  connect(): Promise<string>;
  /** Ask for the payment, and return the transaction's hash. */
  pay(requests: Requests): Promise<string>;
}

/** Why a wallet did not pay: one of the words that the page has a sentence for. */
export class Trouble extends Error {
  constructor(readonly why: string) {
    super(why);
  }
}

/** Return in one word why a wallet said no. Wallets agree on few codes, and some hide them, so their words count as well. */
export function why(error: any): string {
  if (error instanceof Trouble) return error.why;
  const code = codeOf(error);
  const text = String(error?.message ?? error);
  if (code === 4001 || /reject|denied|declin|cancel/i.test(text)) return "rejected";
  if (/insufficient|exceeds (the )?balance|not enough/i.test(text)) return "funds";
  if (code === -32002 || /already pending/i.test(text)) return "pending";
  if (code === 4100 || /locked|unauthori[sz]ed/i.test(text)) return "locked";
  if (code === 4902 || code === 4901) return "network";
  return "failed";
}

const codeOf = (error: any): unknown => error?.data?.originalError?.code ?? error?.code;

/** Call `found` for each wallet that there is, and for each that comes later. */
export function discover(found: (wallet: Wallet) => void): void {
  const seen = new Set<unknown>();
  const add = (key: unknown, name: unknown, icon: unknown, wallet: Omit<Wallet, "name" | "icon">): void => {
    // Whatever a page is told here is written by strangers: names are texts, and icons are images that bring their own data.
    if (seen.has(key) || typeof name !== "string" || !name) return;
    seen.add(key);
    found({ ...wallet, name: name.slice(0, 40), icon: typeof icon === "string" && icon.startsWith("data:image/") ? icon : "" });
  };

  addEventListener("eip6963:announceProvider", (event) => {
    const { info, provider } = (event as CustomEvent).detail ?? {};
    if (typeof info?.uuid !== "string" || typeof provider?.request !== "function") return;
    add(info.uuid, info.name, info.icon, { id: info.uuid, family: "eip155", ...ethereum(provider) });
  });
  dispatchEvent(new Event("eip6963:requestProvider"));

  const register = (...wallets: any[]): void => {
    for (const wallet of wallets) {
      if (!wallet?.features?.["standard:connect"] || !wallet.features["solana:signAndSendTransaction"]) continue;
      add(wallet, wallet.name, wallet.icon, { id: `solana:${wallet.name}`, family: "solana", ...solana(wallet) });
    }
  };
  addEventListener("wallet-standard:register-wallet", (event) => {
    const { detail } = event as CustomEvent;
    if (typeof detail === "function") detail({ register });
  });
  dispatchEvent(new CustomEvent("wallet-standard:app-ready", { detail: { register } }));
}

/** A provider of EIP-1193. */
function ethereum(provider: any): Pick<Wallet, "connect" | "pay"> {
  const ask = (method: string, params: any[] = []): Promise<any> => provider.request({ method, params });
  const at = async (): Promise<number> => Number(await ask("eth_chainId"));

  const go = async (requests: Requests): Promise<void> => {
    const change = requests["wallet_switchEthereumChain"]!;
    const wanted = Number(change[0].chainId);
    if ((await at()) === wanted) return;
    try {
      await ask("wallet_switchEthereumChain", change);
    } catch (error) {
      if (codeOf(error) !== 4902) throw error;
      // A wallet adds only what it can reach, so a network without a public endpoint is the buyer's to add.
      const added = requests["wallet_addEthereumChain"];
      if (!added?.[0].rpcUrls?.length) throw new Trouble("unknown");
      await ask("wallet_addEthereumChain", added);
      if ((await at()) !== wanted) await ask("wallet_switchEthereumChain", change);
    }
    if ((await at()) !== wanted) throw new Trouble("network");
  };

  return {
    async connect() {
      const [account] = await ask("eth_requestAccounts");
      if (typeof account !== "string") throw new Trouble("locked");
      return account;
    },
    async pay(requests) {
      await go(requests);
      try {
        return await ask("eth_sendTransaction", requests["eth_sendTransaction"]);
      } catch (error) {
        // Smart accounts know batches of calls only (EIP-5792).
        if (codeOf(error) !== 4200 && codeOf(error) !== -32601) throw error;
        const batch = await ask("wallet_sendCalls", requests["wallet_sendCalls"]);
        return await mined(ask, batch?.id ?? batch);
      }
    },
  };
}

/** Return the transaction that a batch became. */
async function mined(ask: (method: string, params: any[]) => Promise<any>, batch: unknown): Promise<string> {
  for (;;) {
    const told = await ask("wallet_getCallsStatus", [batch]);
    if (told.receipts?.[0]) return told.receipts[0].transactionHash;
    if (told.status >= 400) throw new Trouble("failed");
    await new Promise((done) => setTimeout(done, 1000));
  }
}

/** A wallet of the Wallet Standard. */
function solana(wallet: any): Pick<Wallet, "connect" | "pay"> {
  let account: any;
  return {
    async connect() {
      const given = await wallet.features["standard:connect"].connect();
      account = (given?.accounts ?? wallet.accounts)?.[0];
      if (typeof account?.address !== "string") throw new Trouble("locked");
      return account.address;
    },
    async pay(requests) {
      const [asked] = requests["solana:signAndSendTransaction"]!;
      if (!wallet.chains?.includes(asked.chain)) throw new Trouble("unknown");
      const transaction = Uint8Array.from(atob(asked.transaction), (char) => char.charCodeAt(0));
      const [sent] = await wallet.features["solana:signAndSendTransaction"].signAndSendTransaction({ account, transaction, chain: asked.chain });
      return base58(sent.signature);
    },
  };
}

const LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

function base58(bytes: Uint8Array): string {
  let number = 0n;
  let text = "";
  for (const byte of bytes) number = number * 256n + BigInt(byte);
  for (; number; number /= 58n) text = LETTERS[Number(number % 58n)] + text;
  for (const byte of bytes) {
    if (byte) break;
    text = `1${text}`;
  }
  return text;
}
