// Reads messages, one JSON object a line, and prints how many were accepted and how many were refused once they had been changed.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const counts = { accepted: 0, refused: 0 };
for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const { secret, headers, body } = JSON.parse(line);
  const webhook = new Webhook(secret);
  const text = Buffer.from(body, "base64").toString("utf8");
  webhook.verify(text, headers);
  counts.accepted += 1;
  try {
    webhook.verify(`${text} `, headers);
  } catch {
    counts.refused += 1;
  }
}
console.log(JSON.stringify(counts));
