// Passkeys on the pages of people: a button asks the device, and its form is sent with the answer.
// Without this script, and in browsers without passkeys, the pages are complete: what is here does not appear.

interface Field extends HTMLElement {
  name: string;
  value: string;
  checkValidity(): boolean;
  reportValidity(): boolean;
}

/** What our own server said no to, in its words. */
class Refusal extends Error {}

// A moment before the browser gives up, which would not say that it was for the time.
const PATIENCE = 0.95;

const able =
  typeof PublicKeyCredential === "function" &&
  "parseRequestOptionsFromJSON" in PublicKeyCredential &&
  "parseCreationOptionsFromJSON" in PublicKeyCredential &&
  "toJSON" in PublicKeyCredential.prototype;

let busy = false;

async function use(button: HTMLButtonElement): Promise<void> {
  const form = button.form!;
  // The answer stands in for a code, which need not be typed then.
  const lacking = fields(form).find((each) => each.name !== "code" && !each.checkValidity());
  if (busy || lacking) return void lacking?.reportValidity();
  occupied(true);
  tell(form, "Follow what your browser asks.");
  try {
    field(form, "passkey").value = JSON.stringify(await answer(button, form));
    form.submit();
  } catch (error) {
    occupied(false);
    tell(form, why(error, button), true);
  }
}

/** Have the device answer what the server asks. */
async function answer(button: HTMLButtonElement, form: HTMLFormElement): Promise<unknown> {
  const { origin, passkey, makes } = button.dataset;
  if (location.origin !== origin) throw new DOMException("", "SecurityError");
  const asked = await post(passkey!, form, makes === undefined ? null : { password: field(form, "password").value });
  const signal = AbortSignal.timeout((asked.timeout ?? 60_000) * PATIENCE);
  const made =
    makes === undefined
      ? await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked), signal })
      : await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(asked), signal });
  return (made as PublicKeyCredential).toJSON();
}

async function post(path: string, form: HTMLFormElement, body: object | null): Promise<any> {
  const said = await fetch(path, {
    method: "POST",
    headers: { "x-csrf-token": field(form, "csrf_token").value, ...(body && { "content-type": "application/json" }) },
    body: body && JSON.stringify(body),
  });
  const read = await said.json();
  if (said.ok) return read.options;
  const wait = said.headers.get("retry-after");
  const text: string = read.error.message;
  throw new Refusal(`${text[0]!.toUpperCase()}${text.slice(1)}${said.status === 429 && wait ? ` (${wait} seconds)` : ""}.`);
}

/** Say in words why no passkey has answered. Browsers tell cancelling and not knowing any from each other to nobody. */
function why(error: unknown, button: HTMLButtonElement): string {
  const { origin, makes } = button.dataset;
  if (error instanceof Refusal) return error.message;
  switch (error instanceof DOMException ? error.name : "") {
    case "TimeoutError":
      return "Nobody answered in time. Try again when your device is at hand.";
    case "NotAllowedError":
    case "AbortError":
      return makes === undefined
        ? "No passkey was used: it was cancelled, or there is none for this server on the device."
        : "No passkey was made: it was cancelled, or the device could not tell that it is you.";
    case "InvalidStateError":
      return "This device has a passkey of yours already.";
    case "NotSupportedError":
    case "ConstraintError":
      return "This device makes no passkeys that ask who you are. Set up its screen lock or PIN first.";
    case "SecurityError":
      return `Passkeys of this server work at ${origin} only, and this page is at ${location.origin}. Open it there.`;
  }
  // What fetch says when nobody is there.
  if (error instanceof TypeError) return "The server does not answer right now. Look at your connection, and try again.";
  return "That did not work. Try again, or go on without a passkey.";
}

function tell(form: HTMLFormElement, text: string, bad = false): void {
  const place = form.querySelector<HTMLElement>("[data-told]")!;
  place.textContent = text;
  place.hidden = false;
  place.classList.toggle("bad", bad);
  place.classList.toggle("calm", !bad);
}

function occupied(now: boolean): void {
  busy = now;
  for (const each of buttons) each.ariaDisabled = String(now);
}

const fields = (form: HTMLFormElement): Field[] => [...form.elements].filter((each): each is Field => "checkValidity" in each);

const field = (form: HTMLFormElement, name: string): Field => form.elements.namedItem(name) as Element as Field;

const buttons = document.querySelectorAll<HTMLButtonElement>("[data-passkey]");
if (able) {
  for (const each of document.querySelectorAll<HTMLElement>("[data-webauthn]")) each.hidden = each.dataset["webauthn"] === "none";
  for (const each of buttons) {
    each.hidden = false;
    each.addEventListener("click", () => void use(each));
  }
  // Who comes back to the page as it was left, begins anew.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}
