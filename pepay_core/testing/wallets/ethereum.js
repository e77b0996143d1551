// A wallet of EIP-1193, announced by EIP-6963, that keeps no keys: whatever needs one goes to the function of the page that `bridge` names.
// It takes {wallet, method, params} and gives {result}, or {error: {code, message}}.
((options) => {
  if (options.topOnly && window !== window.top) return;
  const known = new Set(options.chains);
  let chain = options.at;

  const failure = (code, message) => Object.assign(new Error(message), { code });
  const methods = {
    eth_chainId: () => chain,
    eth_accounts: () => (options.locked ? [] : [options.account]),
    eth_requestAccounts() {
      if (options.locked) throw failure(4100, "The wallet is locked.");
      return [options.account];
    },
    wallet_switchEthereumChain([{ chainId }]) {
      if (!known.has(chainId)) throw failure(4902, "Unrecognized chain ID.");
      chain = chainId;
      return null;
    },
    wallet_addEthereumChain([{ chainId, chainName, nativeCurrency, rpcUrls }]) {
      if (!chainName || !nativeCurrency?.symbol || !rpcUrls?.length) throw failure(-32602, "A network needs a name, a currency and an endpoint.");
      known.add(chainId);
      return null;
    },
  };
  const provider = {
    async request({ method, params = [] }) {
      if (options.refuses.includes(method)) throw failure(4001, "User rejected the request.");
      if (options.lacks.includes(method)) throw failure(4200, "The method is not supported.");
      if (method in methods) {
        await window[options.bridge]({ wallet: options.name, method, params, here: true });
        return methods[method](params);
      }
      if (chain !== (params[0]?.chainId ?? chain)) throw failure(4901, "The wallet is on another chain.");
      const { result, error } = await window[options.bridge]({ wallet: options.name, method, params });
      if (error) throw failure(error.code, error.message);
      return result;
    },
    on() {},
    removeListener() {},
  };
  const detail = Object.freeze({
    info: Object.freeze({ uuid: options.uuid, name: options.name, icon: options.icon, rdns: options.rdns }),
    provider: Object.freeze(provider),
  });
  const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})
