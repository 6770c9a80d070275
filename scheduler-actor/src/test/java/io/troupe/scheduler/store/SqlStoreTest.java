package io.troupe.scheduler.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.troupe.model.JobPolicy;
import io.troupe.model.PoolFile;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.model.Resources;
import io.troupe.model.WorkerProtocol;
import io.troupe.scheduler.pool.Store;
import io.troupe.scheduler.pool.Store.FrameworkForgotten;
import io.troupe.scheduler.pool.Store.FrameworkKnown;
import io.troupe.scheduler.pool.Store.PoolRemoved;
import io.troupe.scheduler.pool.Store.PoolSaved;
import io.troupe.scheduler.pool.Store.Saved;
import io.troupe.scheduler.pool.Store.SavedPool;
import io.troupe.scheduler.pool.Store.StoreException;
import io.troupe.scheduler.pool.Store.WorkerRemoved;
import io.troupe.scheduler.pool.Store.WorkerSaved;
import io.troupe.scheduler.pool.WorkerRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SqlStoreTest {

  @TempDir Path folder;

  private static final SavedPool POOL =
      new SavedPool(
          new PoolSpec(
              "demo",
              "python3 -m troupe.worker demo",
              WorkerProtocol.FRAMES,
              List.of(new PoolFile("demo.py", "ab".repeat(32))),
              new Resources(0.5, 128, 0),
              new PoolSize.Range(1, 8),
              new JobPolicy(Duration.ofSeconds(60), 3, JobPolicy.Durability.STORE),
              Map.of("KEY", "value")),
          false);

  private static final WorkerRecord WORKER =
      new WorkerRecord(
          "demo.0.7", "demo", 0, 7, "S0", "host", "demo-abc", WorkerRecord.Phase.RUNNING, 1_000);

  @Test
  void a_new_store_holds_nothing() {
    try (Store store = SqlStore.inFolder(folder)) {
      assertThat(store.load()).isEqualTo(Saved.nothing());
    }
  }

  @Test
  void what_was_written_is_there_after_a_restart() {
    try (Store store = SqlStore.inFolder(folder)) {
      store.write(
          List.of(new FrameworkKnown("f-0001"), new PoolSaved(POOL), new WorkerSaved(WORKER)));
    }

    try (Store store = SqlStore.inFolder(folder)) {
      assertThat(store.load())
          .isEqualTo(
              new Saved(Optional.of("f-0001"), 7, List.of(POOL), List.of(WORKER), List.of()));
    }
  }

  @Test
  void a_launch_number_stays_used_when_its_worker_is_gone() {
    try (Store store = SqlStore.inFolder(folder)) {
      store.write(List.of(new WorkerSaved(WORKER)));
      store.write(
          List.of(
              new WorkerRemoved(WORKER.taskId()),
              new PoolRemoved("demo"),
              new FrameworkForgotten()));

      assertThat(store.load())
          .isEqualTo(new Saved(Optional.empty(), 7, List.of(), List.of(), List.of()));
    }
  }

  @Test
  void writing_the_same_again_changes_nothing() {
    try (Store store = SqlStore.inFolder(folder)) {
      store.write(List.of(new PoolSaved(POOL), new WorkerSaved(WORKER)));
      Saved once = store.load();
      store.write(List.of(new PoolSaved(POOL), new WorkerSaved(WORKER)));

      assertThat(store.load()).isEqualTo(once);
    }
  }

  @Test
  void a_file_that_is_no_store_is_refused_in_one_line_that_names_it() throws IOException {
    Files.writeString(folder.resolve("store.mv.db"), "this is no database".repeat(1000));

    assertThatThrownBy(() -> SqlStore.inFolder(folder))
        .isInstanceOf(StoreException.class)
        .message()
        .contains(folder.resolve("store").toString())
        .hasLineCount(1);
  }
}
