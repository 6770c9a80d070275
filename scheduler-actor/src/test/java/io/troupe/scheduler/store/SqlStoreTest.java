package io.troupe.scheduler.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.troupe.model.Container;
import io.troupe.model.HttpChecks;
import io.troupe.model.JobPolicy;
import io.troupe.model.PoolFile;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.model.Requirements;
import io.troupe.model.Resources;
import io.troupe.model.Serving;
import io.troupe.model.Upkeep;
import io.troupe.model.WorkerProtocol;
import io.troupe.scheduler.offers.Offer.Part;
import io.troupe.scheduler.offers.Offer.Range;
import io.troupe.scheduler.pool.ExecutorRecord;
import io.troupe.scheduler.pool.Store;
import io.troupe.scheduler.pool.Store.ExecutorSaved;
import io.troupe.scheduler.pool.Store.FrameworkForgotten;
import io.troupe.scheduler.pool.Store.FrameworkKnown;
import io.troupe.scheduler.pool.Store.PoolRemoved;
import io.troupe.scheduler.pool.Store.PoolSaved;
import io.troupe.scheduler.pool.Store.SavedPool;
import io.troupe.scheduler.pool.Store.StoreException;
import io.troupe.scheduler.pool.Store.WorkerRemoved;
import io.troupe.scheduler.pool.Store.WorkerSaved;
import io.troupe.scheduler.pool.WorkerRecord;
import io.troupe.scheduler.pool.WorkerRecord.Phase;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is written is there after a restart. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SqlStoreTest {

  @TempDir private Path folder;

  private static PoolSpec pool(String name, PoolSize size) {
    return new PoolSpec(
        name,
        "python3 -m troupe.worker \"it's\"",
        WorkerProtocol.FRAMES,
        List.of(
            new PoolFile("a b.py", "0".repeat(64)),
            new PoolFile("lib", "2".repeat(64), PoolFile.Form.FOLDER)),
        new Resources(0.25, 96.5, 2),
        size,
        new JobPolicy(
            Duration.ofMillis(1500),
            7,
            JobPolicy.Durability.STORE,
            new JobPolicy.Retry(
                Duration.ofMillis(5),
                Duration.ofSeconds(6),
                Set.of(JobPolicy.RetryOn.EXCEPTION, JobPolicy.RetryOn.OOM)),
            new JobPolicy.Limits(10, 2, 0.5, Duration.ofHours(3), Map.of("alice", 4))),
        Map.of("KEY", "välue\n"),
        Duration.ofSeconds(5),
        new Upkeep(2, 3, 4, 5, 6, 7, Duration.ofMillis(8), 9.5, Duration.ofMillis(10)),
        new HttpChecks("/ready", "/health"),
        new Requirements("1".repeat(64), "python3.12", "/wheels", Duration.ofMinutes(7)),
        new Container("python:3.12", "1:2", "none", List.of("/a:/b:ro"), Duration.ofMinutes(3)),
        List.of(),
        new Serving(9, true));
  }

  private static WorkerRecord worker(String pool, int slot, long launch, Phase phase) {
    return new WorkerRecord(
        pool + "." + slot + "." + launch, pool, slot, launch, "S1", "host", "x", phase, 12345);
  }

  private static final ExecutorRecord EXECUTOR =
      new ExecutorRecord(
          "S1",
          "x",
          "p",
          List.of(
              new Part("cpus", "kind==", 100, List.of()),
              new Part("ports", "k", 0, List.of(new Range(1, 2)))),
          "http://127.0.0.1:7070");

  static Stream<PoolSize> sizes() {
    return Stream.of(new PoolSize.PerAgent(), new PoolSize.Fixed(4), new PoolSize.Range(1, 8));
  }

  @ParameterizedTest
  @MethodSource("sizes")
  void everything_is_read_back_as_it_was_written(PoolSize size) {
    SavedPool pool = new SavedPool(pool("p", size), true);
    WorkerRecord worker = worker("p", 3, 17, Phase.UNREACHABLE);
    try (Store store = new SqlStore(Database.inFolder(folder))) {
      assertThat(store.load()).isEqualTo(Store.Saved.nothing());
      store.write(
          List.of(
              new FrameworkKnown("f-1"),
              new PoolSaved(pool),
              new WorkerSaved(worker),
              new ExecutorSaved(EXECUTOR)));
    }
    try (Store store = new SqlStore(Database.inFolder(folder))) {
      Store.Saved saved = store.load();
      assertThat(saved.frameworkId()).contains("f-1");
      assertThat(saved.lastLaunch()).isEqualTo(17);
      assertThat(saved.pools()).containsExactly(pool);
      assertThat(saved.workers()).containsExactly(worker);
      assertThat(saved.executors()).containsExactly(EXECUTOR);
    }
  }

  @Test
  void launch_numbers_stay_used_when_their_workers_are_gone() {
    try (Store store = new SqlStore(Database.inFolder(folder))) {
      store.write(List.of(new WorkerSaved(worker("p", 0, 9, Phase.LAUNCHED))));
      store.write(List.of(new WorkerRemoved("p.0.9"), new FrameworkForgotten()));

      assertThat(store.load().lastLaunch()).isEqualTo(9);
      assertThat(store.load().workers()).isEmpty();
    }
  }

  @Test
  void a_later_write_replaces_an_earlier_one() {
    try (Store store = new SqlStore(Database.inFolder(folder))) {
      store.write(
          List.of(
              new PoolSaved(new SavedPool(pool("p", new PoolSize.Fixed(1)), false)),
              new WorkerSaved(worker("p", 0, 1, Phase.LAUNCHED))));
      store.write(
          List.of(
              new PoolSaved(new SavedPool(pool("p", new PoolSize.Fixed(2)), false)),
              new WorkerSaved(worker("p", 0, 1, Phase.RUNNING))));

      assertThat(store.load().pools())
          .extracting(p -> p.spec().size())
          .containsExactly(new PoolSize.Fixed(2));
      assertThat(store.load().workers())
          .extracting(WorkerRecord::phase)
          .containsExactly(Phase.RUNNING);
    }
  }

  @Test
  void all_can_be_replaced_at_once() {
    try (Store store = new SqlStore(Database.inFolder(folder))) {
      store.write(List.of(new WorkerSaved(worker("p", 0, 1, Phase.RUNNING))));
      WorkerRecord other = worker("p", 1, 2, Phase.RUNNING);
      store.write(List.of(new Store.AllReplaced(List.of(other), List.of(EXECUTOR))));

      assertThat(store.load().workers()).containsExactly(other);
      assertThat(store.load().executors()).containsExactly(EXECUTOR);
    }
  }

  @Test
  void forgetting_the_framework_leaves_the_pools() {
    try (Store store = new SqlStore(Database.inFolder(folder))) {
      SavedPool pool = new SavedPool(pool("p", new PoolSize.Fixed(1)), false);
      store.write(
          List.of(
              new FrameworkKnown("f"),
              new PoolSaved(pool),
              new WorkerSaved(worker("p", 0, 1, Phase.RUNNING)),
              new ExecutorSaved(EXECUTOR)));
      store.write(store.load().forgettingFramework());

      assertThat(store.load())
          .isEqualTo(
              new Store.Saved(java.util.Optional.empty(), 1, List.of(pool), List.of(), List.of()));
    }
  }

  @Test
  void a_write_that_fails_leaves_nothing_of_itself() {
    try (Store store = new SqlStore(Database.inFolder(folder))) {
      assertThatThrownBy(
              () ->
                  store.write(
                      List.of(
                          new FrameworkKnown("f"),
                          new PoolRemoved("p"),
                          new FrameworkKnown("x".repeat(5000)))))
          .isInstanceOf(StoreException.class);

      assertThat(store.load().frameworkId()).isEmpty();
    }
  }

  @Test
  void a_store_in_use_says_so_in_one_line() throws Exception {
    new SqlStore(Database.inFolder(folder)).close();
    try (FileChannel file =
            FileChannel.open(folder.resolve("store.mv.db"), StandardOpenOption.WRITE);
        FileLock lock = file.lock()) {
      assertThat(lock.isValid()).isTrue();
      assertThatThrownBy(() -> new SqlStore(Database.inFolder(folder)))
          .isInstanceOf(StoreException.class)
          .hasMessageContaining("is in use by another process")
          .message()
          .doesNotContain("\n");
    }
  }

  @Test
  void a_damaged_store_says_so_in_one_line() throws Exception {
    Files.writeString(folder.resolve("store.mv.db"), "this is no database ".repeat(1000));

    assertThatThrownBy(() -> new SqlStore(Database.inFolder(folder)))
        .isInstanceOf(StoreException.class)
        .hasMessageContaining("cannot be opened")
        .hasMessageContaining("move it away")
        .message()
        .doesNotContain("\n");
  }

  @Test
  void a_store_that_has_lost_what_was_written_last_is_refused_and_left_as_it_is() throws Exception {
    Database.inFolder(folder).close();
    Path file = folder.resolve("store.mv.db");
    byte[] whole = Files.readAllBytes(file);
    for (int length : new int[] {5000, whole.length / 2}) {
      byte[] damaged = Arrays.copyOf(whole, length);
      refusedAndLeft(file, damaged);
      refusedAndLeft(file, Arrays.copyOf(damaged, whole.length));
    }
  }

  private void refusedAndLeft(Path file, byte[] damaged) throws IOException {
    Files.write(file, damaged);
    assertThatThrownBy(() -> Database.inFolder(folder))
        .isInstanceOf(StoreException.class)
        .hasMessageContaining("cannot be opened")
        .hasMessageContaining("restore it from a copy")
        .message()
        .doesNotContain("\n", "null");
    assertThat(Files.readAllBytes(file)).isEqualTo(damaged);
  }

  @Test
  void a_server_that_does_not_answer_is_to_be_looked_at_and_no_copy_is_asked_for() {
    assertThatThrownBy(() -> Database.at("jdbc:postgresql://127.0.0.1:1/jobs", "user", "secret"))
        .isInstanceOf(StoreException.class)
        .hasMessageContaining("the store at jdbc:postgresql://127.0.0.1:1/jobs cannot be opened")
        .hasMessageContaining("look whether the server runs there")
        .message()
        .doesNotContain("\n", "copy", "secret");
  }
}
