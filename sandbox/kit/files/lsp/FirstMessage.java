import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * Does what first-message.sh does, with nothing but Java 11 or newer: java FirstMessage.java, in the kit's folder.
 *
 * <p>Exit status: 0 if the ack verifies and says that the message was accepted, 1 if not, 2 if a file is missing.
 */
public class FirstMessage {

    public static void main(String[] arguments) throws Exception {
        try {
            System.exit(send() ? 0 : 1);
        } catch (NoSuchFileException missing) {
            System.err.println(missing.getMessage() + " is not here: run java FirstMessage.java in the kit's folder");
            System.exit(2);
        } catch (IOException unreachable) {
            System.err.println("no signed answer from " + field("counterparty/form.yaml", "base_url") + ": " + unreachable);
            System.exit(1);
        }
    }

    /** Sends the message, prints the ack, and tells whether it was accepted. */
    static boolean send() throws Exception {
        // 1. The payload. Timestamp and traceId are the nonce: new for every message.
        String traceId = UUID.randomUUID().toString();
        String requestId = UUID.randomUUID().toString();
        String metadata = "\"version\":\"1.0\",\"timestamp\":\"" + Instant.now().truncatedTo(ChronoUnit.MILLIS)
            + "\",\"traceId\":\"" + traceId + "\",\"orgId\":\"" + field("form.yaml", "organisation_id") + "\"";
        String payload = "{\"metadata\":{" + metadata + "},\"requestId\":\"" + requestId + "\","
            + Files.readString(Path.of("payload.json")).replaceFirst("\\s*\\{", "");

        // 2. The envelope, and 3. POST it over mutual TLS.
        HttpRequest request = HttpRequest
            .newBuilder(URI.create(field("counterparty/form.yaml", "base_url") + "/v3/loan/triggerLoanAcceptanceRequest"))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(envelope(payload)))
            .build();
        HttpResponse<String> answer = HttpClient.newBuilder().sslContext(tls()).build()
            .send(request, HttpResponse.BodyHandlers.ofString());

        // 4. The ack is an envelope too: verify it before believing it, 5. and see whether it answers this message.
        boolean verified = verifies(answer.body());
        String ack = decoded(member(answer.body(), "payload"));
        System.out.println("HTTP " + answer.statusCode() + ", signature of the ack verified: " + verified + "\n" + ack);
        boolean accepted = verified && traceId.equals(member(ack, "traceId")) && "0".equals(member(ack, "error"));
        System.out.println(accepted ? "accepted: requestId " + requestId : "refused");
        return accepted;
    }

    /** Signs base64url(header) "." base64url(payload) with RS512. */
    static String envelope(String payload) throws Exception {
        Signature rs512 = Signature.getInstance("SHA512withRSA");
        rs512.initSign(KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(pem("signing.key"))));
        String header = encoded("{\"kid\":\"" + field("form.yaml", "kid") + "\",\"alg\":\"RS512\"}");
        rs512.update((header + "." + encoded(payload)).getBytes(StandardCharsets.US_ASCII));
        String signature = Base64.getUrlEncoder().withoutPadding().encodeToString(rs512.sign());
        return "{\"payload\":\"" + encoded(payload) + "\",\"header\":\"" + header + "\",\"signature\":\"" + signature + "\"}";
    }

    /** Verifies an envelope with that key of the counterparty which its kid names. */
    static boolean verifies(String envelope) throws Exception {
        String form = "counterparty/form.yaml";
        String kid = member(decoded(member(envelope, "header")), "kid");
        boolean first = kid.equals(field(form, "kid"));
        if (!first && !kid.equals(field(form, "backup_kid"))) {
            return false;
        }
        byte[] key = pem("counterparty/" + field(form, first ? "public_key_file" : "backup_public_key_file"));
        Signature rs512 = Signature.getInstance("SHA512withRSA");
        rs512.initVerify(KeyFactory.getInstance("RSA").generatePublic(new X509EncodedKeySpec(key)));
        rs512.update((member(envelope, "header") + "." + member(envelope, "payload")).getBytes(StandardCharsets.US_ASCII));
        return rs512.verify(Base64.getUrlDecoder().decode(member(envelope, "signature")));
    }

    /** Shows the certificate of keystore.p12, and trusts those of truststore.p12. */
    static SSLContext tls() throws Exception {
        char[] password = Files.readString(Path.of("passwords-not-for-production.txt")).strip().toCharArray();
        KeyManagerFactory shown = KeyManagerFactory.getInstance("PKIX");
        shown.init(store("keystore.p12", password), password);
        TrustManagerFactory trusted = TrustManagerFactory.getInstance("PKIX");
        trusted.init(store("truststore.p12", password));
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(shown.getKeyManagers(), trusted.getTrustManagers(), null);
        return context;
    }

    static KeyStore store(String file, char[] password) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream stream = Files.newInputStream(Path.of(file))) {
            store.load(stream, password);
        }
        return store;
    }

    static byte[] pem(String file) throws Exception {
        return Base64.getDecoder().decode(Files.readString(Path.of(file)).replaceAll("-----[A-Z ]+-----|\\s", ""));
    }

    static String encoded(String text) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    static String decoded(String text) {
        return new String(Base64.getUrlDecoder().decode(text), StandardCharsets.UTF_8);
    }

    /** One member of a flat JSON object whose values are texts without escapes, as envelopes and acks are. */
    static String member(String json, String name) {
        return found("\"" + name + "\"\\s*:\\s*\"([^\"]*)\"", json);
    }

    /** A field of a form that stands on one line. */
    static String field(String form, String name) throws Exception {
        return found("(?m)^" + name + ":\\s*['\"]?(.*?)['\"]?\\s*$", Files.readString(Path.of(form)));
    }

    static String found(String pattern, String text) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        return matcher.find() ? matcher.group(1) : "";
    }
}
