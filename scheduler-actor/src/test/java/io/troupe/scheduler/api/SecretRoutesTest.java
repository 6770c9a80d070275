package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.model.PoolSpec;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who gets a secret of a pool over HTTP, and where it is not shown. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SecretRoutesTest {
  private static final String SECRET = "correct horse";

  private final HttpClient http = HttpClient.newHttpClient();
  @TempDir private Path folder;

  private HttpResponse<String> send(String url, String method, String body, String authorization)
      throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(url))
            .timeout(RunningApi.PATIENCE)
            .method(method, HttpRequest.BodyPublishers.ofString(body));
    if (!authorization.isEmpty()) {
      request.header("Authorization", authorization);
    }
    return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  @Test
  void only_who_shows_the_token_of_the_pool_gets_its_secrets_and_nobody_else_sees_them()
      throws Exception {
    Path file = Files.writeString(folder.resolve("key"), SECRET);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    try (RunningApi api = RunningApi.start("", folder.resolve("node"))) {
      String pool = "name = p, secrets { KEY = \"" + file + "\" }";
      assertThat(send(api.url("/v1/pools"), "POST", pool, "").statusCode()).isEqualTo(200);
      PoolSpec known = api.secrets.taken(RunningApi.readPool(pool));
      String url = api.url("/v1/secrets/p/KEY/" + known.secrets().get(0).version());
      String bearer = "Bearer " + api.secrets.token("p");

      HttpResponse<String> given = send(url, "GET", "", bearer);
      assertThat(given.body()).isEqualTo(SECRET);
      assertThat(given.headers().firstValue("Cache-Control")).contains("no-store");

      for (String wrong : new String[] {"", "Bearer x", "Bearer " + api.secrets.token("q")}) {
        HttpResponse<String> refused = send(url, "GET", "", wrong);
        assertThat(refused.statusCode()).as(wrong).isEqualTo(401);
        assertThat(refused.body()).contains("UNAUTHORIZED").doesNotContain(SECRET);
        assertThat(refused.headers().firstValue("WWW-Authenticate")).contains("Bearer");
      }
      HttpResponse<String> old = send(api.url("/v1/secrets/p/KEY/0"), "GET", "", bearer);
      assertThat(old.statusCode()).isEqualTo(404);
      assertThat(old.body()).contains("SECRET_NOT_FOUND");

      HttpResponse<String> shown = send(api.url("/v1/pools/p"), "GET", "", "");
      assertThat(shown.body()).contains("\"secrets\":[\"KEY\"]").doesNotContain(SECRET);
      HttpResponse<String> tree = send(api.managementUrl("/troupe/tree"), "GET", "", "");
      assertThat(tree.body()).contains("\"p\"").doesNotContain(SECRET);

      assertThat(send(api.url("/v1/pools/p"), "DELETE", "", "").statusCode()).isEqualTo(200);
      assertThat(send(url, "GET", "", bearer).statusCode()).isEqualTo(404);
    }
  }

  @Test
  void a_pool_whose_secret_any_user_may_read_is_refused_in_one_line() throws Exception {
    Path file = Files.writeString(folder.resolve("key"), SECRET);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
    try (RunningApi api = RunningApi.start("", folder.resolve("node"))) {
      HttpResponse<String> refused =
          send(api.url("/v1/pools"), "POST", "name = p, secrets { KEY = \"" + file + "\" }", "");
      assertThat(refused.statusCode()).isEqualTo(400);
      assertThat(refused.body())
          .contains("INVALID_POOL", "secret KEY: too many users may use " + file, "chmod 600")
          .doesNotContain(SECRET);
      assertThat(send(api.url("/v1/pools/p"), "GET", "", "").statusCode()).isEqualTo(404);
    }
  }
}
