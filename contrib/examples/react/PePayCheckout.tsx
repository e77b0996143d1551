import { useEffect, useRef } from "react";

/** The checkout of one invoice in its place on the page; load `https://GATEWAY/embed/v1.js` before. Give stable functions, or none. */
export function PePayCheckout({ invoice, token, theme, lang, onStatus, onSubmitted, onError }: Props) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const options = { invoice, token, theme, lang, onStatus, onSubmitted, onError };
    const session = (window as any).PePay.open({ ...options, mode: "inline", target: place.current });
    return () => session.close();
  }, [invoice, token, theme, lang, onStatus, onSubmitted, onError]);
  return <div ref={place} />;
}

interface Props {
  invoice: string;
  token: string;
  theme?: "auto" | "light" | "dark";
  lang?: string;
  onStatus?: (status: string) => void;
  onSubmitted?: (hash: string) => void;
  onError?: (error: { code: string }) => void;
}
