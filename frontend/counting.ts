// The time that is left: the strip on top of the card, and the clock beside the price.

import { CHANGED, announce, main } from "./page";

const URGENT = 180;
const SHOWN = 3600;
const TOLD = [180, 60];

/** Count down until the price runs out, by the server's clock, and then do what is to be done. */
export function count(over: () => void): void {
  let ahead = 0;
  let ended = "";
  const set = (): void => {
    ahead = Number(main().dataset["now"]) - Date.now() / 1000;
  };
  const tick = (): void => {
    const now = Date.now() / 1000 + ahead;
    for (const each of document.querySelectorAll<HTMLElement>("[data-until]")) {
      const until = each.dataset["until"] ?? "";
      const left = Math.max(0, Math.round(Number(until) - now));
      if (each instanceof HTMLProgressElement) {
        each.value = left;
        continue;
      }
      each.classList.toggle("urgent", left <= URGENT);
      const clock = each.querySelector(".left");
      if (clock && left < SHOWN) {
        clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
        if (TOLD.includes(left)) announce(`${clock.parentElement?.getAttribute("aria-label")}: ${clock.textContent}`);
      }
      if (left === 0 && ended !== until) {
        ended = until;
        over();
      }
    }
  };
  document.addEventListener(CHANGED, () => (set(), tick()));
  set();
  setInterval(tick, 1000);
}
