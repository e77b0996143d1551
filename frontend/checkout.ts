// The hosted page, alive. It is complete without scripts: what is here saves the buyer a reload, and typing.

import { count } from "./counting.ts";
import { follow, refresh } from "./following.ts";
import { handle } from "./handling.ts";
import { CHANGED, main } from "./page.ts";
import { show, wallets } from "./wallets.ts";

// A receipt has the same script, and nothing to follow.
handle();
if (main()) {
  count(() => void refresh());
  follow();
  wallets();
  document.addEventListener(CHANGED, show);
}
