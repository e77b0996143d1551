// Putting a new version of the page in the place of the old one, so that nobody is disturbed by it.

import { CHANGED, announce, main, parsed } from "./page";

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** Show what the server sent: what was open stays open, what was typed stays typed, and the focus stays where it was. */
export function swap(html: string): void {
  const found = parsed(html, "checkout");
  if (!found) return;
  const old = main();
  const fresh = document.adoptNode(found);
  const focused = document.activeElement;
  const within = focused !== null && focused !== document.body && old.contains(focused);
  const twin = (each: Element): HTMLElement | null => (each.id ? fresh.querySelector<HTMLElement>(`#${CSS.escape(each.id)}`) : null);

  for (const each of old.querySelectorAll("details[open]")) twin(each)?.setAttribute("open", "");
  for (const each of old.querySelectorAll<Field>("input, textarea, select")) {
    const field = twin(each) as Field | null;
    if (!field) continue;
    if (each instanceof HTMLInputElement && field instanceof HTMLInputElement) field.checked = each.checked;
    if (each.type !== "hidden" && each.type !== "radio" && each.type !== "checkbox") field.value = each.value;
  }
  // What another script keeps there is moved, not made anew.
  for (const each of old.querySelectorAll("[data-keep]")) twin(each)?.replaceWith(each);

  old.replaceWith(fresh);
  if (within) (document.getElementById(focused.id) ?? fresh).focus({ preventScroll: true });
  if (fresh.dataset["title"]) document.title = fresh.dataset["title"];
  if (old.dataset["state"] !== fresh.dataset["state"]) announce(fresh.dataset["told"] ?? "");
  document.dispatchEvent(new CustomEvent(CHANGED, { detail: fresh.dataset["state"] }));
}
