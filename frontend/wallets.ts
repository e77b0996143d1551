// The wallet buttons of the hosted page. The server writes the transaction, the wallet signs and sends it, and the chain is the judge of it.

import { discover, Trouble, why } from "./drivers";
import type { Wallet } from "./drivers";
import { converse, invoice, tell } from "./frame";
import { SENT } from "./page";

const known: Wallet[] = [];
const outside = new WeakSet<Wallet>();
const buttons = new WeakMap<Wallet, HTMLElement>();

/** How far a payment by wallet has come; the page's parts are replaced while it runs, so it is kept here. */
interface State {
  text: string;
  busy?: boolean;
  alarm?: boolean;
}
let state: State = { text: "" };
/** The wallet that has been asked; while it only connects, another may be pressed instead. */
let asked: Wallet | undefined;

/** Find wallets, and show them wherever the page has a place for them, now and in parts that come later. */
export function wallets(): void {
  const add = (wallet: Wallet, outer: boolean): void => {
    // The page around this one and this one may both have a wallet; the outer one is asked, as not every wallet answers in a frame.
    const same = known.findIndex((each) => each.family === wallet.family && each.name === wallet.name);
    const there = known[same];
    // That page names its wallets again whenever it finds another; a button that is being pressed must stay where it is.
    if (there && (!outer || (outside.has(there) && there.id === wallet.id))) return;
    if (outer) outside.add(wallet);
    known.splice(there ? same : known.length, 1, wallet);
    show();
  };
  discover((wallet) => add(wallet, false));
  converse((wallet) => add(wallet, true));
  show();
}

const place = (): HTMLElement | null => document.querySelector("[data-wallets]");

/** Draw the buttons into the page's place for them: call it when the page has changed. */
export function show(): void {
  const here = place();
  // Where there is nothing to pay any more, what was said of paying is over.
  if (!here) {
    state = { text: "" };
    asked = undefined;
    return;
  }
  const usable = known.filter((wallet) => wallet.family === here.dataset["family"]);
  here.hidden = !usable.length && !state.text;
  const wanted = usable.map(button);
  const list = here.querySelector("[data-list]")!;
  // What stands there already is left alone, and keeps the keyboard's focus.
  if (wanted.length !== list.children.length || wanted.some((each, at) => each !== list.children[at])) list.replaceChildren(...wanted);
  for (const each of wanted) each.ariaDisabled = String(Boolean(state.busy));
  const told = here.querySelector<HTMLElement>("[data-told]")!;
  if (told.textContent !== state.text) told.textContent = state.text;
  told.classList.toggle("alarm", Boolean(state.alarm));
}

function button(wallet: Wallet): HTMLElement {
  const there = buttons.get(wallet);
  if (there) return there;
  const made = document.createElement("button");
  buttons.set(wallet, made);
  made.type = "button";
  made.className = "wallet";
  if (wallet.icon) {
    const icon = new Image(24, 24);
    icon.alt = "";
    icon.src = wallet.icon;
    made.append(icon);
  }
  const name = document.createElement("bdi");
  name.textContent = wallet.name;
  made.append(name);
  made.addEventListener("click", () => void pay(wallet, place()!));
  return made;
}

function move(next: State): void {
  state = next;
  show();
}

async function pay(wallet: Wallet, here: HTMLElement): Promise<void> {
  if (state.busy || asked === wallet) return;
  asked = wallet;
  const asset = here.dataset["asset"];
  const say = (what: string): string => here.dataset[`say${what[0]!.toUpperCase()}${what.slice(1)}`] ?? "";
  move({ text: say("confirm") });
  try {
    const payer = await wallet.connect();
    // Who got no answer from one wallet may have pressed another by now: only the last one is asked for money.
    if (asked !== wallet) return;
    move({ text: say("confirm"), busy: true });
    const made = await post(`${invoice}/transaction`, { asset, payer });
    const hash = await wallet.pay(made.requests);
    if (!/^[0-9A-Za-z]{32,128}$/.test(hash)) throw new Trouble("failed");
    tell("submitted", { hash });
    // Nobody shall pay twice: the buttons stay shut until the page says what has become of it.
    move({ text: say("sent"), busy: true });
    document.dispatchEvent(new CustomEvent(SENT, { detail: hash }));
    // A hint only: the payment is found without it.
    await post(`${invoice}/submitted`, { hash }).catch(() => {});
  } catch (error) {
    if (asked !== wallet) return;
    asked = undefined;
    move({ text: error instanceof Refusal ? error.message : say(why(error)), alarm: true });
  }
}

/** What our own server said no to, in words for the buyer. */
class Refusal extends Error {}

async function post(path: string, body: object): Promise<any> {
  const token = new URLSearchParams(location.search).get("token") ?? "";
  const answer = await fetch(`/api/v1/checkout/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-pepay-token": token },
    body: JSON.stringify(body),
  });
  const read = await answer.json();
  if (answer.ok) return read;
  if (answer.status === 409 || answer.status === 422) throw new Refusal(read.error.message);
  throw new Trouble("failed");
}
