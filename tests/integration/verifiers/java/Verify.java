// Reads messages, one in five lines: secret, id, timestamp, signatures, body in base64; prints how many were accepted, and how many
// were refused once they had been changed.

import com.standardwebhooks.Webhook;
import com.standardwebhooks.exceptions.WebhookVerificationException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;

public class Verify {
    public static void main(String[] arguments) throws Exception {
        int accepted = 0;
        int refused = 0;
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String secret = lines.readLine(); secret != null; secret = lines.readLine()) {
            Map<String, List<String>> headers = Map.of(
                    "webhook-id", List.of(lines.readLine()),
                    "webhook-timestamp", List.of(lines.readLine()),
                    "webhook-signature", List.of(lines.readLine()));
            String body = new String(Base64.getDecoder().decode(lines.readLine()), StandardCharsets.UTF_8);
            Webhook webhook = new Webhook(secret);
            webhook.verify(body, headers);
            accepted++;
            try {
                webhook.verify(body + " ", headers);
            } catch (WebhookVerificationException expected) {
                refused++;
            }
        }
        System.out.println("{\"accepted\": " + accepted + ", \"refused\": " + refused + "}");
    }
}
