// Keeps a page that has data-live up to date by asking for it again; without scripts the page reloads itself instead.
"use strict";

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function follow() {
  let main = document.querySelector("main");
  let known = main.outerHTML;
  while (main.dataset.live) {
    await pause(Number(main.dataset.live));
    if (document.hidden) continue;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) continue;
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      if (next.outerHTML === known) continue;
      known = next.outerHTML;
      const open = [...main.querySelectorAll("details[open]")].map((each) => each.id);
      const focus = document.activeElement?.id;
      main.replaceWith(document.adoptNode(next));
      main = next;
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
    } catch {
      // The demo was stopped: the page keeps what it shows.
    }
  }
}

follow();
