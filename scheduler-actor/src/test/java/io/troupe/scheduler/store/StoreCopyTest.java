package io.troupe.scheduler.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.troupe.model.BlobRef;
import io.troupe.model.Cause;
import io.troupe.model.Container;
import io.troupe.model.ContentType;
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
import io.troupe.scheduler.jobs.JobState;
import io.troupe.scheduler.jobs.JobStore;
import io.troupe.scheduler.jobs.NewJob;
import io.troupe.scheduler.jobs.StoredJob;
import io.troupe.scheduler.pool.Store;
import io.troupe.scheduler.pool.Store.StoreException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Backups, restores and moves between real databases. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(180)
class StoreCopyTest {
  private static final CopyProgress SILENT = (what, done, all) -> {};
  private static final long FIRST = 7L << 32;

  /** Where a store is. */
  enum Kind {
    H2,
    POSTGRESQL
  }

  private static @Nullable Postgres postgres;

  @TempDir private Path folder;
  private int made;

  @BeforeAll
  static void startServer(@TempDir Path data) {
    postgres = Postgres.start(data);
  }

  @AfterAll
  static void stopServer() {
    if (postgres != null) {
      postgres.close();
    }
  }

  private StoreLocation empty(Kind kind) {
    Path own = folder.resolve("store-" + made++);
    return new StoreLocation(
        new StoreSettings(
            kind == Kind.H2 ? "" : Objects.requireNonNull(postgres).emptyDatabase(),
            "postgres",
            "postgres"),
        own);
  }

  private static Database open(StoreLocation store) {
    return store.openIfFreeOrNew().orElseThrow();
  }

  private static StoredJob job(
      long number, JobState state, ContentType type, byte[] payload, @Nullable String key) {
    return new StoredJob(
        FIRST + number,
        "demo",
        "f",
        type,
        payload,
        new NewJob.Terms(3, 4_000, 0, "s", 5, 6, 7),
        key,
        10,
        11,
        12,
        state,
        13,
        state.ended() ? "" : "akka://held",
        1,
        2,
        14,
        15,
        "worker-1",
        new Cause(
            Cause.Kind.OOM, "half a letter \ud83d, \u00e9 and \ud83d\ude00", 137, 9, List.of()),
        ContentType.JSON,
        "[1]".getBytes(StandardCharsets.UTF_8),
        false,
        Long.MAX_VALUE);
  }

  private static void add(Database database, StoredJob... jobs) {
    try (JobStore store = new SqlJobStore(database, job -> {})) {
      store.open("demo", 7).toCompletableFuture().join();
      List<JobStore.Change> changes = new ArrayList<>();
      for (StoredJob job : jobs) {
        changes.add(new JobStore.Change(job.id(), JobStore.Place.NONE, job, job.key()));
      }
      store
          .write("demo", changes, Map.of(JobState.SUCCEEDED, 5L), false)
          .toCompletableFuture()
          .join();
    }
  }

  private static PoolSpec pool(List<PoolFile> files, Requirements requirements) {
    return new PoolSpec(
        "demo",
        "python3 -m troupe.worker \"it's\"",
        WorkerProtocol.FRAMES,
        files,
        new Resources(0.25, 96.5, 2),
        new PoolSize.PerAgent(),
        new JobPolicy(Duration.ofSeconds(1), 7, JobPolicy.Durability.STORE),
        Map.of("KEY", "v\u00e4lue\n"),
        PoolSpec.DEFAULT_START_TIMEOUT,
        Upkeep.NONE,
        HttpChecks.NONE,
        requirements,
        Container.NONE,
        List.of(),
        Serving.ONE_AT_A_TIME);
  }

  /** A store with something of everything; its payload file is in its folder. */
  private StoreLocation filled(Kind kind) throws IOException {
    StoreLocation store = empty(kind);
    BlobStore blobs = BlobStore.open(store.folder().resolve("blobs"));
    Path incoming = blobs.incoming();
    Files.writeString(incoming, "a large payload");
    BlobRef ref = blobs.keep(incoming, "j4");
    FileStore files = FileStore.open(store.folder().resolve("files"));
    String module = files.add(Files.writeString(folder.resolve("module.py"), "def f(x): ..."));
    String required = files.add(Files.writeString(folder.resolve("r.txt"), "six==1.16.0"));
    files.add(Files.writeString(folder.resolve("other.py"), "of no pool"));
    byte[] large = new byte[3 << 20];
    Arrays.fill(large, (byte) 200);
    try (Database database = open(store)) {
      new SqlStore(database)
          .write(
              List.of(
                  new Store.FrameworkKnown("framework-1"),
                  new Store.PoolSaved(
                      new Store.SavedPool(
                          pool(
                              List.of(new PoolFile("module.py", module)),
                              new Requirements(required, "python3", "", Duration.ofMinutes(1))),
                          true))));
      add(
          database,
          job(1, JobState.QUEUED, ContentType.BYTES, new byte[] {0, 1, -1}, "key \u00fc"),
          job(2, JobState.FAILED, ContentType.BYTES, large, null),
          job(3, JobState.DEAD, ContentType.JSON, new byte[0], null),
          job(4, JobState.QUEUED, ContentType.BYTES_BLOB, ref.bytes(), null));
    }
    return store;
  }

  private static String content(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, List<String>> rows(StoreLocation store) throws IOException {
    Map<String, List<String>> all = new TreeMap<>();
    try (Database database = open(store);
        Snapshot snapshot = Snapshot.of(database)) {
      for (Table table : snapshot.shapes()) {
        List<String> rows = new ArrayList<>();
        snapshot.read(table, row -> rows.add(Arrays.deepToString(row)));
        rows.sort(null);
        all.put(table.name(), rows);
      }
    }
    return all;
  }

  private Path backup(StoreLocation store) {
    Path file = folder.resolve("backup-" + made++ + ".zip");
    try (DumpFile dump = DumpFile.create(file);
        Database database = store.openIfFree().orElseThrow();
        Backup backup = Backup.ofResting(database, store.folder())) {
      dump.write(backup, SILENT);
      dump.keep(SILENT);
    }
    return file;
  }

  private static Restore into(StoreLocation store) {
    return new Restore(store, false, SILENT);
  }

  @ParameterizedTest
  @CsvSource({"H2, H2", "H2, POSTGRESQL", "POSTGRESQL, H2", "POSTGRESQL, POSTGRESQL"})
  void all_that_a_store_holds_is_in_its_backup_and_comes_back(Kind from, Kind to)
      throws IOException {
    StoreLocation source = filled(from);
    StoreLocation target = empty(to);
    StoreStats stats = into(target).from(backup(source));
    assertThat(stats.jobs()).isEqualTo(4);
    Map<String, List<String>> expected = rows(source);
    Map<String, List<String>> found = rows(target);
    assertThat(found.remove("framework"))
        .as("further processes are counted, so that no attempt of after the backup is believed")
        .contains("[job-epoch, 257]", "[framework-id, framework-1]");
    expected.remove("framework");
    assertThat(found).isEqualTo(expected);
    try (var blobs = Files.list(target.folder().resolve("blobs"));
        var files = Files.list(target.folder().resolve("files"))) {
      assertThat(blobs)
          .singleElement()
          .satisfies(it -> assertThat(it).hasContent("a large payload"));
      assertThat(files.map(StoreCopyTest::content))
          .containsExactlyInAnyOrder("def f(x): ...", "six==1.16.0");
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void a_backup_of_an_older_schema_comes_back_and_can_be_worked_with(Kind kind) throws IOException {
    Path old = Files.createDirectory(folder.resolve("old"));
    Store.SavedPool pool = new Store.SavedPool(pool(List.of(), Requirements.NONE), false);
    Path file = folder.resolve("old.zip");
    try (Database database = Database.inFolder(old, "1");
        DumpFile dump = DumpFile.create(file)) {
      new SqlStore(database)
          .write(List.of(new Store.FrameworkKnown("framework-1"), new Store.PoolSaved(pool)));
      try (Backup backup = Backup.ofResting(database, old)) {
        dump.write(backup, SILENT);
      }
      assertThat(dump.keep(SILENT).path("schema").asText()).isEqualTo("1");
    }
    StoreLocation target = empty(kind);
    into(target).from(file);
    try (Database database = open(target)) {
      Store.Saved saved = new SqlStore(database).load();
      assertThat(saved.frameworkId()).contains("framework-1");
      assertThat(saved.pools()).containsExactly(pool);
      add(database, job(1, JobState.QUEUED, ContentType.JSON, new byte[] {'1'}, null));
      assertThat(StoreStats.of(database).jobs()).isEqualTo(1);
    }
    assertThat(target.folder().toFile().list((in, name) -> name.startsWith("restoring-")))
        .isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"99", "", "one"})
  void a_backup_of_a_schema_that_is_not_known_is_refused(String schema) throws IOException {
    Path file = folder.resolve("later.zip");
    try (OutputStream out = Files.newOutputStream(file)) {
      new DumpWriter(out, JsonNodeFactory.instance.objectNode().put("schema", schema)).finish();
    }
    StoreLocation target = empty(Kind.H2);
    assertThatThrownBy(() -> into(target).from(file))
        .isInstanceOf(StoreException.class)
        .hasMessageContainingAll(
            "version " + schema + " of the schema", "use the version of Troupe that made it");
    assertThat(target.file()).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource({"H2, POSTGRESQL", "POSTGRESQL, H2"})
  void a_store_moves_to_another_database_and_is_the_same_there(Kind from, Kind to)
      throws IOException {
    StoreLocation source = filled(from);
    StoreLocation target = empty(to);
    Map<String, List<String>> before = rows(source);
    try (Database database = source.openIfFree().orElseThrow()) {
      into(target).from(database);
    }
    assertThat(rows(target)).isEqualTo(before);
    assertThat(rows(source)).isEqualTo(before);
    try (Database database = open(target);
        JobStore jobs = new SqlJobStore(database, job -> {})) {
      assertThat(jobs.withKey("demo", "key \u00fc").toCompletableFuture().join()).isPresent();
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void what_is_written_after_a_backup_began_is_not_in_it(Kind kind) throws IOException {
    StoreLocation store = filled(kind);
    Path file = folder.resolve("running.zip");
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (Database database = open(store)) {
      BlobStore blobs = BlobStore.open(store.folder().resolve("blobs"));
      FileStore files = FileStore.open(store.folder().resolve("files"));
      Backup backup = Backup.ofRunning(database, blobs, files);
      add(database, job(9, JobState.QUEUED, ContentType.JSON, new byte[] {'9'}, "new"));
      try (JobStore jobs = new SqlJobStore(database, job -> {})) {
        jobs.forget("demo").toCompletableFuture().join();
      }
      blobs.all().forEach(blob -> blobs.remove(blob.ref().name()));
      backup.writeTo(bytes, SILENT);
      backup.close();
      assertThat(store.folder().resolve("blobs").toFile().list())
          .as("the running store's mark, and no blob")
          .containsExactly(blobs.mark().getFileName().toString());
    }
    Files.write(file, bytes.toByteArray());
    StoreLocation target = empty(kind);
    assertThat(into(target).from(file).jobs()).isEqualTo(4);
    assertThat(target.folder().resolve("blobs")).isNotEmptyDirectory();
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void a_store_that_is_not_empty_stays_unless_it_may_be_lost(Kind kind) throws IOException {
    Path file = backup(filled(Kind.H2));
    StoreLocation target = empty(kind);
    try (Database database = open(target)) {
      add(database, job(8, JobState.DEAD, ContentType.JSON, new byte[] {'8'}, null));
    }
    Map<String, List<String>> before = rows(target);
    assertThatThrownBy(() -> into(target).from(file))
        .isInstanceOf(StoreException.class)
        .hasMessageContainingAll(target.name(), "1 pools, 1 jobs", "--replace");
    assertThat(rows(target)).isEqualTo(before);
    assertThat(new Restore(target, true, SILENT).from(file).jobs()).isEqualTo(4);
    assertThat(rows(target).get("ended_jobs")).hasSize(2);
  }

  @Test
  void a_store_that_a_scheduler_uses_is_left_alone() throws IOException {
    Path file = backup(filled(Kind.H2));
    StoreLocation served = empty(Kind.POSTGRESQL);
    try (Database scheduler = Database.at(served.settings().url(), "postgres", "postgres")) {
      assertThatThrownBy(() -> into(served).from(file)).hasMessageContaining("in use");
      assertThat(served.openToRead()).isPresent().get().satisfies(Database::close);
      assertThat(StoreStats.of(scheduler).jobs()).isZero();
    }
    StoreLocation held = filled(Kind.H2);
    try (FileChannel channel = FileChannel.open(held.file(), StandardOpenOption.WRITE);
        FileLock lock = channel.lock()) {
      assertThat(lock.isValid()).isTrue();
      assertThat(held.openIfFree()).isEmpty();
      assertThat(held.openToRead()).isEmpty();
      assertThatThrownBy(() -> new Restore(held, true, SILENT).from(file))
          .hasMessageContaining("in use");
    }
  }

  @Test
  void where_there_is_no_store_none_is_made() {
    StoreLocation none = empty(Kind.H2);
    assertThatThrownBy(none::openIfFree).hasMessageContainingAll("there is no store in", "--dir");
    assertThat(none.folder()).doesNotExist();
  }

  @Test
  void a_dump_that_was_cut_off_or_changed_anywhere_is_refused_and_changes_nothing()
      throws IOException {
    byte[] whole = Files.readAllBytes(backup(filled(Kind.H2)));
    StoreLocation target = empty(Kind.H2);
    Path bad = folder.resolve("bad.zip");
    for (int part = 0; part < 8; part++) {
      Files.write(bad, Arrays.copyOf(whole, whole.length * part / 8));
      refused(target, bad);
    }
    for (int part = 0; part < 16; part++) {
      byte[] changed = whole.clone();
      changed[(int) ((long) whole.length * part / 16)] ^= 0x10;
      Files.write(bad, changed);
      try {
        into(target).from(bad);
        // Names, times and the like of the zip itself, which nothing depends on.
        assertThat(rows(target).get("live_jobs")).hasSize(2);
        Files.delete(target.file());
      } catch (StoreException refused) {
        assertThat(refused.getMessage()).doesNotContain("\n").contains("use another copy");
      }
      assertThat(target.file()).doesNotExist();
    }
  }

  private static void refused(StoreLocation target, Path bad) {
    assertThatThrownBy(() -> into(target).from(bad))
        .isInstanceOf(StoreException.class)
        .hasMessageContainingAll("bad.zip", "no backup that can be restored", "use another copy");
    assertThat(target.file()).doesNotExist();
  }

  @Test
  void a_backup_replaces_no_file_and_leaves_none_behind_when_it_fails() throws IOException {
    StoreLocation store = filled(Kind.H2);
    Path file = Files.writeString(folder.resolve("there.zip"), "mine");
    assertThatThrownBy(() -> DumpFile.create(file)).hasMessageContaining("there already");
    Path own = Files.createDirectory(folder.resolve("own"));
    try (var blobs = Files.list(store.folder().resolve("blobs"))) {
      Files.delete(blobs.filter(blob -> blob.toString().endsWith(".j4")).findFirst().orElseThrow());
    }
    assertThatThrownBy(
            () -> {
              try (DumpFile dump = DumpFile.create(own.resolve("b.zip"));
                  Database database = open(store);
                  Backup backup = Backup.ofResting(database, store.folder())) {
                dump.write(backup, SILENT);
              }
            })
        .hasMessageContainingAll("a job that waits has its payload in the file", "--dir");
    assertThat(own).isEmptyDirectory();
  }
}
