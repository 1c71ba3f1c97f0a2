import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Posts once for each line of its input, with the JDK's client as it is: URL, key store, its password, authority. */
public class IdleClient {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newBuilder().sslContext(context(args[1], args[2].toCharArray(), args[3])).build();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(args[0]))
                .timeout(Duration.ofSeconds(60)).POST(HttpRequest.BodyPublishers.ofString(line)).build();
            try {
                System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
            } catch (java.io.IOException error) {
                System.out.println(error);
            }
        }
    }

    private static SSLContext context(String keyStore, char[] password, String authority) throws Exception {
        KeyStore own = KeyStore.getInstance("PKCS12");
        own.load(new FileInputStream(keyStore), password);
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, password);
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        CertificateFactory x509 = CertificateFactory.getInstance("X.509");
        trusted.setCertificateEntry("authority", x509.generateCertificate(new FileInputStream(authority)));
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }
}
