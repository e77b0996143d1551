// A wallet of the Wallet Standard on Solana that keeps no keys: what is to be signed goes, in base64, to the function of the page that
// `bridge` names. It takes {wallet, method, params} and gives {result}, a signature in base64, or {error: {code, message}}.
((options) => {
  if (options.topOnly && window !== window.top) return;
  const bytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const text = (raw) => btoa(String.fromCharCode(...raw));
  const account = Object.freeze({
    address: options.account,
    publicKey: bytes(options.key),
    chains: options.chains,
    features: ["solana:signAndSendTransaction"],
  });
  let accounts = [];

  async function call(method, params) {
    if (options.refuses.includes(method)) throw new Error("User rejected the request.");
    const { result, error } = await window[options.bridge]({ wallet: options.name, method, params });
    if (error) throw Object.assign(new Error(error.message), { code: error.code });
    return result;
  }

  const wallet = Object.freeze({
    version: "1.0.0",
    name: options.name,
    icon: options.icon,
    chains: options.chains,
    get accounts() {
      return accounts;
    },
    features: {
      "standard:connect": {
        version: "1.0.0",
        async connect() {
          await call("standard:connect", []);
          if (!options.locked) accounts = [account];
          return { accounts };
        },
      },
      "standard:events": { version: "1.0.0", on: () => () => {} },
      "solana:signAndSendTransaction": {
        version: "1.0.0",
        supportedTransactionVersions: ["legacy", 0],
        async signAndSendTransaction(...inputs) {
          const outputs = [];
          for (const input of inputs) {
            if (input.account !== account) throw new Error("The account is not this wallet's.");
            if (!options.chains.includes(input.chain)) throw new Error("The chain is not supported.");
            if (!(input.transaction instanceof Uint8Array)) throw new Error("A transaction is bytes.");
            outputs.push({ signature: bytes(await call("solana:signAndSendTransaction", [text(input.transaction), input.chain])) });
          }
          return outputs;
        },
      },
    },
  });

  const register = (api) => api.register(wallet);
  window.dispatchEvent(new CustomEvent("wallet-standard:register-wallet", { detail: register }));
  window.addEventListener("wallet-standard:app-ready", (event) => register(event.detail));
})
