// The parts of the page that scripts speak to.

declare global {
  interface Window {
    trustedTypes?: { createPolicy(name: string, rules: { createHTML(html: string): string }): { createHTML(html: string): string } };
  }
}

/** What has changed on the page is told to whoever listens on the document, after it has been put in. */
export const CHANGED = "pepay:changed";

/** That a wallet has sent a transaction is told likewise, with its hash. */
export const SENT = "pepay:sent";

/** The part of the page that changes, and what the server says of it: its invoice, token, state and revision. */
export const main = (): HTMLElement => document.getElementById("checkout") as HTMLElement;

/** Say something to those who cannot see the page. */
export function announce(text: string): void {
  const place = document.getElementById("announcer");
  if (place) place.textContent = text;
}

// The one way in which markup comes into the page. It was made by our own server, and scripts in it do not run.
const policy = window.trustedTypes?.createPolicy("pepay", { createHTML: (html) => html });

/** Return the element of an id in markup that our server sent. */
export function parsed(html: string, id: string): HTMLElement | null {
  const markup = policy ? (policy.createHTML(html) as string) : html;
  return new DOMParser().parseFromString(markup, "text/html").getElementById(id);
}
