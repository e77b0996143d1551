// The hosted page, alive. It is complete without this script: what is here saves the buyer a reload, and nothing else.

export {};

document.documentElement.dataset["script"] = "on";
