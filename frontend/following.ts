// Following the invoice: the server says when the page would look different, and the page fetches what changed.

import { main } from "./page";
import { swap } from "./swapping";

// A stream says something every twenty seconds; one that does not has been lost on the way.
const SILENCE = 45_000;
const PAUSE = 4_000;

let source: EventSource | undefined;
let heard = 0;
let mark = "";
let busy = false;
let again = false;
let retry = 0;

/** Fetch the part that changes, and show it if it has. */
export async function refresh(): Promise<void> {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const address = new URL(location.href);
    address.searchParams.set("fragment", "1");
    const answer = await fetch(address, { cache: "no-store", headers: mark ? { "If-None-Match": mark } : {} });
    if (answer.ok) {
      mark = answer.headers.get("ETag") ?? "";
      swap(await answer.text());
    }
  } catch {
    // There is no connection, or no server: whoever asked asks again.
  } finally {
    busy = false;
    if (again) {
      again = false;
      void refresh();
    }
  }
}

function listen(): void {
  if (source || document.hidden) return;
  const { invoice, token } = main().dataset;
  const opened = new EventSource(`/api/v1/checkout/${invoice}/stream?token=${encodeURIComponent(token ?? "")}`);
  source = opened;
  heard = Date.now();
  opened.onmessage = (event) => {
    heard = Date.now();
    if (JSON.parse(event.data).revision !== main().dataset["revision"]) void refresh();
  };
  opened.onerror = () => {
    // A lost connection is taken up again by the browser; after a refusal we look at the page itself from time to time, and try anew.
    if (opened.readyState === EventSource.CLOSED && source === opened) later();
  };
}

function leave(): void {
  source?.close();
  source = undefined;
  clearTimeout(retry);
}

function later(): void {
  leave();
  retry = window.setTimeout(resume, PAUSE * (1 + Math.random() / 2));
}

function resume(): void {
  leave();
  if (document.hidden) return;
  void refresh();
  listen();
}

/** Keep the page as it should be, for as long as somebody looks at it. */
export function follow(): void {
  const offline = document.getElementById("offline");
  const online = (): void => {
    if (offline) offline.hidden = navigator.onLine;
    if (navigator.onLine) resume();
    else leave();
  };
  addEventListener("online", online);
  addEventListener("offline", online);
  addEventListener("pageshow", (event) => event.persisted && resume());
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : resume()));
  setInterval(() => source && Date.now() - heard > SILENCE && resume(), PAUSE);
  if (offline) offline.hidden = navigator.onLine;
  listen();
}
