// The checkout on a shop's own page: `PePay.open({...})`, and elements with `data-pepay-invoice`.
// It shows the hosted page in a frame, passes on what that says, and lends it this page's wallets. What it tells is for the eyes of the
// buyer: whether an order is paid, the shop's server learns from the webhook.

import { discover, why } from "./drivers";
import type { Wallet } from "./drivers";

type Mode = "modal" | "inline" | "tab";
type Theme = "auto" | "light" | "dark";

interface Options {
  invoice: string;
  token: string;
  mode?: Mode;
  target?: string | Element;
  theme?: Theme;
  lang?: string;
  method?: string;
  onReady?: () => void;
  onStatus?: (status: string) => void;
  onSubmitted?: (hash: string) => void;
  onClose?: () => void;
  onError?: (error: { code: string }) => void;
}

interface Session {
  iframe: HTMLIFrameElement | null;
  theme(theme: Theme): void;
  close(): void;
}

const base = new URL((document.currentScript as HTMLScriptElement).src).origin;
const PATIENCE = 15_000;

const wallets = new Map<string, Wallet>();
const lenders = new Set<() => void>();
discover((wallet) => {
  wallets.set(wallet.id, wallet);
  lenders.forEach((lend) => lend());
});

function open(options: Options): Session {
  const { invoice, token, mode = "modal" } = options;
  const query: Record<string, string> = { token };
  for (const name of ["theme", "lang", "method"] as const) if (options[name]) query[name] = options[name];
  const address = (more: object): string => `${base}/pay/${encodeURIComponent(invoice)}?${new URLSearchParams({ ...query, ...more })}`;

  if (mode === "tab") {
    window.open(address({}), "_blank", "noopener");
    return { iframe: null, theme() {}, close() {} };
  }

  const iframe = document.createElement("iframe");
  iframe.src = address({ embed: "1", parent: location.origin });
  iframe.title = "Payment";
  iframe.allow = "clipboard-write";
  // Styles of single elements, set by script, pass every policy of a shop's page.
  iframe.style.cssText = "display:block;width:100%;height:560px;border:0;color-scheme:normal";

  /** Tell the shop's page, by an event and by a function that it gave. */
  const emit = (type: string, detail?: object, told?: unknown): void => {
    document.dispatchEvent(new CustomEvent(`pepay:${type}`, { detail: { invoice, ...detail } }));
    (options as any)[`on${type[0]!.toUpperCase()}${type.slice(1)}`]?.(told);
  };
  const say = (type: string, more: object): void => iframe.contentWindow?.postMessage({ source: "pepay-host", v: 1, type, ...more }, base);
  const lend = (): void => say("wallets", { list: [...wallets.values()].map(({ id, name, icon, family }) => ({ id, name, icon, family })) });

  // What is wished before the page can hear it is told when it can.
  let wish = options.theme;
  const dress = (theme = wish): void => void (theme && say("theme", { theme }));

  async function ask(said: any, what: (wallet: Wallet) => Promise<string>): Promise<void> {
    const wallet = wallets.get(said.id);
    const answer = wallet
      ? await what(wallet).then(
          (result) => ({ result }),
          (error) => ({ error: why(error) }),
        )
      : { error: "failed" };
    say("wallet.result", { req: said.req, ...answer });
  }

  let ready = false;
  let dialog: HTMLDialogElement | undefined;
  const heard: Record<string, (said: any) => void> = {
    ready() {
      if (!ready) {
        ready = true;
        // It was an empty frame that got the focus; where the page has others, browsers lose it on the way to the checkout.
        if (dialog) {
          iframe.blur();
          iframe.focus();
        }
        emit("ready");
      }
      lenders.add(lend);
      lend();
      dress();
    },
    resize({ height }) {
      if (Number.isFinite(height) && height > 0) iframe.style.height = `${Math.min(height, 4000)}px`;
    },
    status({ status }) {
      if (typeof status === "string") emit("status", { status }, status);
    },
    submitted({ hash }) {
      if (typeof hash === "string") emit("submitted", { hash }, hash);
    },
    close: () => close(),
    "wallet.connect": (said) => void ask(said, (wallet) => wallet.connect()),
    "wallet.pay": (said) => void ask(said, (wallet) => wallet.pay(said.tx)),
  };
  const listen = (event: MessageEvent): void => {
    const said = event.data;
    if (event.source !== iframe.contentWindow || event.origin !== base) return;
    if (said?.source !== "pepay" || said.v !== 1 || said.invoice !== invoice || !Object.hasOwn(heard, said.type)) return;
    heard[said.type]!(said);
  };
  addEventListener("message", listen);

  // A page that may not be framed says nothing at all: after a while the buyer is shown another way.
  const late = setTimeout(() => {
    if (ready) return;
    const error = { code: "not_ready" };
    emit("error", error, error);
    const link = document.createElement("a");
    link.href = address({});
    link.target = "_blank";
    link.textContent = "Open the payment page";
    link.style.cssText = "display:block;padding:16px";
    iframe.after(link);
  }, PATIENCE);

  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    clearTimeout(late);
    removeEventListener("message", listen);
    lenders.delete(lend);
    dialog?.close();
    (dialog ?? iframe).remove();
    emit("close");
  };

  if (mode === "inline") {
    const place = typeof options.target === "string" ? document.querySelector(options.target) : options.target;
    if (!place) throw new Error("PePay: there is no target to open inline in");
    place.replaceChildren(iframe);
  } else {
    dialog = document.createElement("dialog");
    dialog.setAttribute("aria-label", "Payment");
    dialog.style.cssText = "width:440px;padding:0;border:0;border-radius:16px;overflow:auto";
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      close();
    });
    iframe.name = "pepay-modal";
    dialog.append(iframe);
    document.body.append(dialog);
    dialog.showModal();
    iframe.focus();
  }
  return { iframe, theme: (theme) => dress((wish = theme)), close };
}

/** Open what an element's `data-pepay-…` say; `data-pepay-invoice` is the option `invoice`, and so on. */
function openFor(element: HTMLElement): void {
  const options: Record<string, unknown> = { target: element };
  for (const [name, value] of Object.entries(element.dataset)) if (name.startsWith("pepay")) options[name.slice(5).toLowerCase()] = value;
  open(options as unknown as Options);
}

const ACTED_ON = "button[data-pepay-invoice], a[data-pepay-invoice]";

document.addEventListener("click", (event) => {
  const element = event.target instanceof Element && event.target.closest<HTMLElement>(ACTED_ON);
  if (!element) return;
  event.preventDefault();
  openFor(element);
});

// What is no button is a place: the checkout is shown in it at once.
const places = (): void =>
  document.querySelectorAll<HTMLElement>(`[data-pepay-mode=inline][data-pepay-invoice]:not(${ACTED_ON})`).forEach((place) => openFor(place));
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", places);
else places();

Object.assign(window, { PePay: { open, version: "1.0.0" } });
