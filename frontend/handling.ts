// What buyers do with their hands: copying, searching, closing menus, going back to the shop.

import { CHANGED, announce } from "./page";

const SHOWN = 2_000;
const LATELY = "pepay:method";

async function copy(button: HTMLElement): Promise<void> {
  const text = button.dataset["copy"] ?? "";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without HTTPS, or in a frame that may not: the old way.
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    button.focus();
    if (!done) return;
  }
  button.dataset["copied"] = "";
  const told = document.getElementById("announcer")?.dataset["copied"] ?? "";
  announce("");
  requestAnimationFrame(() => announce(told));
  setTimeout(() => delete button.dataset["copied"], SHOWN);
}

/** Mark the way to pay that this browser chose last time; nobody else is told, and where nothing may be kept there is no mark. */
function recall(): void {
  try {
    const last = localStorage.getItem(LATELY);
    for (const each of document.querySelectorAll<HTMLButtonElement>("form[data-lately] button.option:enabled")) {
      if (each.value !== last || each.classList.contains("lately")) continue;
      each.classList.add("lately");
      const note = document.createElement("span");
      note.textContent = each.form!.dataset["lately"]!;
      each.lastElementChild!.append(note);
    }
  } catch {}
}

function closeMenus(but: Node | null): void {
  for (const each of document.querySelectorAll<HTMLDetailsElement>("details.menu[open], details.method[open]")) {
    if (!but || !each.contains(but)) each.open = false;
  }
}

function arm(): void {
  recall();
  for (const each of document.querySelectorAll<HTMLElement>("[data-search], [data-print]")) each.hidden = false;
  const link = document.querySelector<HTMLAnchorElement>("a[data-return]:not([data-armed])");
  if (!link) return;
  link.dataset["armed"] = "";
  const note = link.parentElement?.querySelector<HTMLElement>(".returning");
  const going = setTimeout(() => link.isConnected && window.top === window && location.assign(link.href), Number(link.dataset["return"]) * 1000);
  if (note) note.hidden = false;
  document.getElementById("stay")?.addEventListener("click", () => {
    clearTimeout(going);
    if (note) note.hidden = true;
  });
}

/** Listen to the buyer. */
export function handle(): void {
  document.addEventListener("click", (event) => {
    const target = event.target as Element;
    const button = target.closest<HTMLElement>("[data-copy]");
    if (button) void copy(button);
    if (target.closest("[data-print]")) print();
    closeMenus(target);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.activeElement?.closest<HTMLDetailsElement>("details[open]");
    closeMenus(null);
    open?.querySelector("summary")?.focus();
  });
  document.addEventListener("input", (event) => {
    const field = event.target as HTMLInputElement;
    if (!field.closest("[data-search]")) return;
    const words = field.value.toLowerCase().split(/\s+/);
    for (const each of field.form?.querySelectorAll<HTMLElement>("[data-words]") ?? []) {
      each.hidden = !words.every((word) => each.dataset["words"]?.includes(word));
    }
  });
  document.addEventListener("submit", (event) => {
    const chosen = event.submitter as HTMLButtonElement | null;
    if (!chosen?.matches("form[data-lately] .option")) return;
    try {
      localStorage.setItem(LATELY, chosen.value);
    } catch {}
  });
  document.addEventListener(CHANGED, arm);
  arm();
}
