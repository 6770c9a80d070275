package io.troupe.scheduler.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.troupe.model.JobPolicy;
import io.troupe.model.PoolSecret;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.model.Resources;
import io.troupe.model.WorkerProtocol;
import io.troupe.scheduler.pool.Store;
import io.troupe.scheduler.store.Secrets.InvalidSecretException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SecretsTest {
  private static final String SECRET = "correct horse";

  @TempDir private Path folder;

  private Path file(String content, String permissions) throws IOException {
    Path file = Files.writeString(folder.resolve("key"), content);
    return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(permissions));
  }

  private static PoolSpec pool(String name, Path file) {
    return new PoolSpec(
            name,
            "run",
            WorkerProtocol.FRAMES,
            List.of(),
            new Resources(0.5, 128, 0),
            new PoolSize.Fixed(1),
            new JobPolicy(Duration.ofSeconds(1), 1, JobPolicy.Durability.MEMORY),
            Map.of())
        .withSecrets(List.of(new PoolSecret("KEY", file.toString(), "")));
  }

  private Secrets secrets() throws IOException {
    return Secrets.open(folder.resolve("node"));
  }

  private static String version(PoolSpec pool) {
    return pool.secrets().get(0).version();
  }

  @Test
  void a_version_follows_the_content_and_cannot_be_guessed_without_the_salt() throws IOException {
    Path file = file(SECRET, "rw-------");
    String version = version(secrets().taken(pool("p", file)));

    assertThat(version).matches("[0-9a-f]{32}");
    assertThat(version(secrets().taken(pool("p", file)))).as("again").isEqualTo(version);
    assertThat(version(secrets().taken(pool("other", file)))).isNotEqualTo(version);
    assertThat(version(Secrets.open(folder.resolve("another")).taken(pool("p", file))))
        .as("with another salt")
        .isNotEqualTo(version);
    file("changed", "rw-------");
    assertThat(version(secrets().taken(pool("p", file)))).isNotEqualTo(version);
    assertThat(
            PosixFilePermissions.toString(
                Files.getPosixFilePermissions(folder.resolve("node/secrets.salt"))))
        .isEqualTo("rw-------");
  }

  @Test
  void workers_of_the_version_before_still_get_theirs_and_older_ones_nothing() throws IOException {
    Secrets secrets = secrets();
    String first = version(secrets.taken(pool("p", file("1", "rw-------"))));
    String second = version(secrets.taken(pool("p", file("2", "rw-------"))));
    assertThat(secrets.find("p", "KEY", first)).hasValue(new byte[] {'1'});
    String third = version(secrets.taken(pool("p", file("3", "rw-------"))));
    assertThat(secrets.find("p", "KEY", first)).isEmpty();
    assertThat(secrets.find("p", "KEY", second)).hasValue(new byte[] {'2'});
    assertThat(secrets.find("p", "KEY", third)).hasValue(new byte[] {'3'});
    assertThat(secrets.find("other", "KEY", third)).isEmpty();
    secrets.forget("p");
    assertThat(secrets.find("p", "KEY", third)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"rw----r--", "rw--w----", "rw-----w-"})
  void what_too_many_users_may_use_is_refused_with_what_to_do(String permissions)
      throws IOException {
    Path file = file(SECRET, permissions);
    assertThatThrownBy(() -> secrets().taken(pool("p", file)))
        .isInstanceOf(InvalidSecretException.class)
        .hasMessage(
            "secret KEY: too many users may use %s (%s): chmod 600 %s"
                .formatted(file, permissions, file));
  }

  @Test
  void a_file_that_cannot_be_one_is_refused_in_one_line() throws IOException {
    assertThatThrownBy(() -> secrets().taken(pool("p", folder.resolve("none"))))
        .hasMessage(
            "secret KEY: there is no file %s on the scheduler's machine"
                .formatted(folder.resolve("none")));
    assertThatThrownBy(() -> secrets().taken(pool("p", folder)))
        .hasMessage("secret KEY: %s is not a file".formatted(folder));
    Path empty = file("", "rw-------");
    assertThatThrownBy(() -> secrets().taken(pool("p", empty)))
        .hasMessage("secret KEY: %s is empty".formatted(empty));
    Path large = file("x".repeat(Secrets.LARGEST + 1), "rw-------");
    assertThatThrownBy(() -> secrets().taken(pool("p", large)))
        .hasMessage("secret KEY: %s has more than 1 MiB".formatted(large));
    assertThatThrownBy(() -> secrets().taken(pool("p", large))).hasMessageNotContaining(SECRET);
  }

  @Test
  void what_the_system_or_the_scheduler_itself_keeps_is_for_no_pool() throws IOException {
    Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("/proc/self/environ"));
    Secrets secrets = secrets();
    for (Path own :
        List.of(link, Path.of("/proc/self/environ"), folder.resolve("node/secrets.salt"))) {
      assertThatThrownBy(() -> secrets.taken(pool("p", own)))
          .isInstanceOf(InvalidSecretException.class)
          .hasMessage(
              "secret KEY: %s is not for pools: it is the system's, or the scheduler's own"
                  .formatted(own));
    }
  }

  @Test
  void a_name_that_no_file_can_have_is_refused_in_one_line() throws IOException {
    PoolSpec pool = pool("p", folder).withSecrets(List.of(new PoolSecret("KEY", "/x\u0000y", "")));
    Secrets secrets = secrets();
    assertThatThrownBy(() -> secrets.taken(pool))
        .isInstanceOf(InvalidSecretException.class)
        .hasMessageStartingWith("secret KEY: its file has a name that cannot be here: ");
  }

  @Test
  void another_users_file_is_refused() throws IOException {
    Path file = file(SECRET, "rw-------");
    org.junit.jupiter.api.Assumptions.assumeTrue(
        System.getProperty("user.name").equals("root"), "only root can give a file away");
    Files.setAttribute(file, "unix:uid", 65534);
    assertThatThrownBy(() -> secrets().taken(pool("p", file)))
        .hasMessageContaining("it must be the scheduler's user root, or root");
  }

  @Test
  void the_store_holds_neither_the_secret_nor_the_salt() throws IOException {
    Path file = file(SECRET, "r--r-----");
    Path node = folder.resolve("node");
    Secrets secrets = secrets();
    try (Database database = Database.inFolder(node)) {
      Store store = new SqlStore(database);
      store.write(
          List.of(new Store.PoolSaved(new Store.SavedPool(secrets.taken(pool("p", file)), false))));
      assertThat(store.load().pools().get(0).spec()).isEqualTo(secrets.taken(pool("p", file)));
    }
    try (var files = Files.walk(node)) {
      for (Path each : files.filter(Files::isRegularFile).toList()) {
        assertThat(Files.readString(each, StandardCharsets.ISO_8859_1))
            .as(each.toString())
            .doesNotContain(SECRET);
      }
    }
  }

  @Test
  void after_a_restart_a_changed_file_is_a_changed_pool_and_a_missing_one_is_waited_for()
      throws IOException {
    Path file = file(SECRET, "rw-------");
    PoolSpec before = secrets().taken(pool("p", file));
    try (Database database = Database.inFolder(folder.resolve("node"))) {
      Store store = new SqlStore(database);
      store.write(List.of(new Store.PoolSaved(new Store.SavedPool(before, true))));

      assertThat(secrets().refreshed(store.load(), store)).isEqualTo(store.load());

      Files.delete(file);
      Secrets without = secrets();
      assertThat(without.refreshed(store.load(), store).pools().get(0).spec()).isEqualTo(before);
      assertThat(without.find("p", "KEY", version(before))).isEmpty();
      file(SECRET, "rw-------");
      assertThat(without.find("p", "KEY", version(before)))
          .hasValue(SECRET.getBytes(StandardCharsets.UTF_8));

      file("changed", "rw-------");
      Secrets after = secrets();
      Store.SavedPool pool = after.refreshed(store.load(), store).pools().get(0);
      assertThat(version(pool.spec())).isNotEqualTo(version(before));
      assertThat(pool.draining()).isTrue();
      assertThat(store.load().pools()).containsExactly(pool);
    }
  }

  @Test
  void each_pool_has_its_own_token_and_each_start_of_a_node_other_ones() throws IOException {
    Secrets secrets = secrets();
    assertThat(secrets.isToken("p", secrets.token("p"))).isTrue();
    assertThat(secrets.isToken("q", secrets.token("p"))).isFalse();
    assertThat(secrets.isToken("p", "")).isFalse();
    assertThat(secrets().isToken("p", secrets.token("p"))).isFalse();
  }
}
