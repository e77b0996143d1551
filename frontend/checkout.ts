// The hosted page, alive. It is complete without this script: what is here saves the buyer a reload, and nothing else.

import { wallets } from "./wallets";

document.documentElement.dataset["script"] = "on";
wallets();
