// The hosted page, alive. It is complete without scripts: what is here saves the buyer a reload, and typing.

import { count } from "./counting";
import { follow, refresh } from "./following";
import { converse, prefer } from "./frame";
import { handle } from "./handling";
import { CHANGED, SENT, main } from "./page";
import { show, wallets } from "./wallets";

const PATIENCE = 61_000;

// A receipt has the same script, and nothing to follow.
handle();
if (main()) {
  document.addEventListener(CHANGED, show);
  document.addEventListener(SENT, (event) => {
    // The address remembers it, so that a reload does too; the server says what it means.
    const address = new URL(location.href);
    address.searchParams.set("sent", (event as CustomEvent<string>).detail);
    address.searchParams.set("sent_at", String(Math.floor(Date.now() / 1000)));
    history.replaceState(null, "", address);
    void refresh();
    setTimeout(() => void refresh(), PATIENCE);
  });
  wallets();
  prefer();
  count(() => void refresh());
  follow();
} else {
  // A page beside it, such as the receipt: in a frame it tells its size, too.
  converse(() => {});
}
