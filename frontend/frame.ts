// The hosted page in a frame: what it tells the page around it, and which of that page's wallets it may ask.
// The server wrote the origin of that page into this one, from the shop's saved list; without it, nothing is said and nothing is heard.

import { Trouble } from "./drivers";
import type { Family, Wallet } from "./drivers";

const root = document.documentElement;
const host = root.dataset["parent"];

/** The invoice that the page shows. */
export const invoice = root.dataset["invoice"];

export const framed = Boolean(host) && parent !== window;

/** Tell the page around this one. */
export function tell(type: string, fields: object = {}): void {
  if (framed) parent.postMessage({ source: "pepay", v: 1, type, invoice, ...fields }, host!);
}

const waiting = new Map<number, { done: (answer: any) => void; failed: (error: Trouble) => void }>();
let asked = 0;

const ask = (type: string, fields: object): Promise<any> =>
  new Promise((done, failed) => {
    waiting.set(++asked, { done, failed });
    tell(type, { req: asked, ...fields });
  });

/** Say that the page is there, tell its size and its state as they change, and call `found` for each wallet that is lent. */
export function converse(found: (wallet: Wallet) => void): void {
  if (!framed) return;
  // Only a modal can be closed from inside.
  if (window.name === "pepay-modal") root.dataset["modal"] = "";
  addEventListener("message", (event) => {
    const said = event.data;
    if (event.source !== parent || event.origin !== host || said?.source !== "pepay-host" || said.v !== 1) return;
    if (said.type === "wallets" && Array.isArray(said.list)) said.list.map(lent).forEach((wallet: Wallet | null) => wallet && found(wallet));
    else if (said.type === "wallet.result") settle(said);
    else if (said.type === "theme" && ["auto", "light", "dark"].includes(said.theme)) root.dataset["theme"] = said.theme;
  });
  addEventListener("keydown", (event) => event.key === "Escape" && "modal" in root.dataset && tell("close"));
  document.addEventListener("click", (event) => (event.target as Element).closest("[data-close]") && tell("close"));

  let status: string | undefined;
  let height = 0;
  const look = (): void => {
    const now = document.querySelector<HTMLElement>("[data-status]")?.dataset["status"];
    if (now && now !== status) tell("status", { status: (status = now) });
    const tall = Math.ceil(document.body.getBoundingClientRect().height);
    if (tall !== height) tell("resize", { height: (height = tall) });
  };
  tell("ready");
  look();
  new ResizeObserver(look).observe(document.body);
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-status"] });
}

/** Choose how to pay, where the shop knows it already from its buyer; who then wants it otherwise is asked. */
export function prefer(): void {
  const query = new URLSearchParams(location.search);
  const method = query.get("method");
  if (!method || query.has("change")) return;
  for (const each of document.querySelectorAll<HTMLButtonElement>("button[data-method]:not([aria-current])")) {
    if (each.value === method || each.dataset["method"] === method) each.click();
  }
}

function settle(said: any): void {
  const open = waiting.get(said.req);
  waiting.delete(said.req);
  if (typeof said.error === "string") open?.failed(new Trouble(said.error));
  else if (typeof said.result === "string") open?.done(said.result);
  else open?.failed(new Trouble("failed"));
}

/** A wallet of the page around this one. */
function lent(told: any): Wallet | null {
  const { id, name, icon, family } = told ?? {};
  if (typeof id !== "string" || typeof name !== "string" || !["eip155", "solana"].includes(family)) return null;
  return {
    id,
    name: name.slice(0, 40),
    icon: typeof icon === "string" && icon.startsWith("data:image/") ? icon : "",
    family: family as Family,
    connect: () => ask("wallet.connect", { id }),
    pay: (requests) => ask("wallet.pay", { id, tx: requests }),
  };
}
