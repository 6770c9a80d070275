package io.troupe.scheduler.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.model.ContentType;
import io.troupe.scheduler.jobs.JobState;
import io.troupe.scheduler.jobs.JobStore.Change;
import io.troupe.scheduler.jobs.JobStore.Place;
import io.troupe.scheduler.jobs.NewJob;
import io.troupe.scheduler.jobs.StoredJob;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import org.h2.engine.SessionLocal;
import org.h2.jdbc.JdbcConnection;
import org.h2.mvstore.MVStore;
import org.h2.store.fs.Recorder;
import org.h2.store.fs.rec.FilePathRec;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What H2 writes to its file, looked at after each of its writes and in the middle of them. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class FileUpkeepTest {
  private static final long SEED = Long.getLong("troupe.test.seed", 11);
  private static final int COMMITS = Integer.getInteger("troupe.test.commits", 100);
  private static final int LIVES = 3;
  private static final int PAGE = 4096;
  private static final String ENDING = ".mv.db";

  @TempDir Path folder;
  private final Random random = new Random(SEED);
  private final Deque<Long> live = new ArrayDeque<>();
  private final Deque<Long> ended = new ArrayDeque<>();
  private long next = 7L << 32;

  /**
   * A write to the file.
   *
   * @param bytes null where the file was cut to this length
   * @param committed the version that had been committed before
   */
  private record Write(@Nullable ByteBuffer bytes, long position, long committed) {}

  @AfterEach
  void stopRecording() {
    FilePathRec.setRecorder(null);
  }

  @Test
  void whenever_the_process_is_killed_the_file_holds_all_that_was_committed() throws Exception {
    FilePathRec.register();
    byte[] before = new byte[0];
    for (int life = 0; life < LIVES; life++) {
      Path file = folder.resolve("life-" + life);
      Files.write(ending(file), before);
      if (before.length == 0) {
        Files.delete(ending(file));
      }
      List<Write> writes = live(file, before.length == 0 ? 0 : version(ending(file)));
      before = killedAnywhere(before, writes, random.nextInt(writes.size() / 2, writes.size()));
    }
  }

  /** Opens the file as a scheduler does, works with it, and tells what was written to it. */
  private List<Write> live(Path file, long version) throws Exception {
    List<Write> writes = new ArrayList<>();
    long[] committed = {version};
    FilePathRec.setRecorder(
        (what, name, bytes, position) -> {
          if (name.endsWith(ENDING) && (what == Recorder.WRITE || what == Recorder.TRUNCATE)) {
            writes.add(
                new Write(
                    bytes == null ? null : ByteBuffer.wrap(bytes.clone()), position, committed[0]));
          }
        });
    try (Database database = Database.inFile("rec:" + file, "the store");
        SqlJobStore store = new SqlJobStore(database, job -> {})) {
      for (int i = 0; i < COMMITS; i++) {
        write(store, changes());
        committed[0] = version(database);
      }
      FilePathRec.setRecorder(null);
    }
    return writes;
  }

  /** Submits, ends or forgets some jobs, now and then many. */
  private List<Change> changes() {
    List<Change> changes = new ArrayList<>();
    int jobs = random.nextInt(20) == 0 ? random.nextInt(1, 300) : random.nextInt(1, 4);
    switch (random.nextInt(3)) {
      case 0 -> LongStream.range(0, jobs).forEach(i -> changes.add(submitted(next++)));
      case 1 -> live.stream().limit(jobs).toList().forEach(id -> changes.add(ended(id)));
      default -> ended.stream().limit(jobs).toList().forEach(id -> changes.add(forgotten(id)));
    }
    return changes.isEmpty() ? List.of(submitted(next++)) : changes;
  }

  private Change submitted(long id) {
    live.add(id);
    return new Change(id, Place.NONE, row(id, JobState.QUEUED), null);
  }

  private Change ended(long id) {
    live.remove(id);
    ended.add(id);
    return new Change(id, Place.LIVE, row(id, JobState.SUCCEEDED), null);
  }

  private Change forgotten(long id) {
    ended.remove(id);
    return new Change(id, Place.ENDED, null, null);
  }

  private static StoredJob row(long id, JobState state) {
    NewJob.Terms terms = new NewJob.Terms(3, 1000, 0, "", 0, 0, 0);
    byte[] bytes = new byte[50];
    return new StoredJob(
        id,
        "demo",
        "f",
        ContentType.JSON,
        bytes,
        terms,
        null,
        1,
        0,
        0,
        state,
        1,
        "",
        1,
        0,
        1,
        1,
        "worker-1",
        null,
        ContentType.JSON,
        bytes,
        false,
        1);
  }

  private static void write(SqlJobStore store, List<Change> changes) {
    store.write("demo", changes, Map.of(), false).toCompletableFuture().join();
  }

  /**
   * Opens the file as it was after each write and in each; gives it as it was after one of them.
   */
  private byte[] killedAnywhere(byte[] before, List<Write> writes, int one) throws IOException {
    Path growing = folder.resolve("growing");
    Files.write(growing, before);
    byte[] after = before;
    try (RandomAccessFile file = new RandomAccessFile(growing.toFile(), "rw")) {
      for (int i = 0; i < writes.size(); i++) {
        Write write = writes.get(i);
        byte[] bytes = write.bytes() == null ? null : write.bytes().array();
        if (bytes == null) {
          file.setLength(write.position());
        } else {
          file.seek(write.position());
          if (bytes.length > PAGE) {
            int pages = random.nextInt(1, (bytes.length + PAGE - 1) / PAGE);
            file.write(bytes, 0, pages * PAGE);
            holds(growing, write.committed(), i);
            file.seek(write.position());
          }
          file.write(bytes);
        }
        holds(growing, write.committed(), i);
        if (i == one) {
          after = Files.readAllBytes(growing);
        }
      }
    }
    return after;
  }

  private void holds(Path file, long committed, int write) throws IOException {
    if (committed > 0) {
      assertThat(version(file))
          .as("write %d, seed %d", write, SEED)
          .isGreaterThanOrEqualTo(committed);
    }
  }

  /** What a process finds that opens a copy of the file. */
  private long version(Path file) throws IOException {
    Path copy = folder.resolve("copy");
    Files.copy(file, copy, StandardCopyOption.REPLACE_EXISTING);
    MVStore store = new MVStore.Builder().fileName(copy.toString()).autoCommitDisabled().open();
    try {
      return store.getCurrentVersion();
    } finally {
      store.closeImmediately();
    }
  }

  private static long version(Database database) throws SQLException {
    try (Connection connection = database.connect()) {
      return ((SessionLocal) connection.unwrap(JdbcConnection.class).getSession())
          .getDatabase()
          .getStore()
          .getMvStore()
          .getCurrentVersion();
    }
  }

  private static Path ending(Path file) {
    return file.resolveSibling(file.getFileName() + ENDING);
  }

  @Test
  void the_file_stays_small_however_many_commits_there_are() throws Exception {
    try (Database database = Database.inFolder(folder);
        SqlJobStore store = new SqlJobStore(database, job -> {})) {
      for (int i = 0; i < 1000; i++) {
        write(store, List.of(submitted(next)));
        write(store, List.of(ended(next++)));
        if (i >= 100) {
          write(store, List.of(forgotten(ended.getFirst())));
        }
      }
      assertThat(Files.size(folder.resolve("store.mv.db"))).isLessThan(3 << 20);
    }
  }
}
