package io.troupe.scheduler.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.troupe.model.BlobRef;
import io.troupe.model.Cause;
import io.troupe.model.ContentType;
import io.troupe.scheduler.jobs.JobIds;
import io.troupe.scheduler.jobs.JobState;
import io.troupe.scheduler.jobs.JobStore;
import io.troupe.scheduler.jobs.JobStore.Change;
import io.troupe.scheduler.jobs.JobStore.Opened;
import io.troupe.scheduler.jobs.JobStore.Place;
import io.troupe.scheduler.jobs.NewJob;
import io.troupe.scheduler.jobs.StoredJob;
import io.troupe.scheduler.pool.Store.StoreException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The same for both databases, each of them real. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SqlJobStoreTest {
  private static final long FIRST = 7L << 32;
  private static final Cause CAUSE =
      new Cause(Cause.Kind.OOM, "too much \u00e9", 137, 9, List.of("last", "words\u0000"));

  /** Where the jobs are. */
  enum Kind {
    H2,
    POSTGRESQL
  }

  private static @Nullable Postgres postgres;

  @TempDir Path folder;
  private final List<AutoCloseable> open = new ArrayList<>();
  private Optional<String> url = Optional.empty();

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

  @AfterEach
  void closeAll() throws Exception {
    for (int i = open.size() - 1; i >= 0; i--) {
      open.get(i).close();
    }
  }

  private Database database(Kind kind) {
    return switch (kind) {
      case H2 -> Database.inFolder(folder);
      case POSTGRESQL -> {
        if (url.isEmpty()) {
          url = Optional.of(java.util.Objects.requireNonNull(postgres).emptyDatabase());
        }
        yield Database.at(url.get(), "postgres", "postgres");
      }
    };
  }

  private JobStore store(Kind kind) {
    return store(kind, job -> {});
  }

  private JobStore store(Kind kind, JobStore.Payloads payloads) {
    Database database = database(kind);
    SqlJobStore store = new SqlJobStore(database, payloads);
    open.add(database);
    open.add(store);
    return store;
  }

  private JobStore again(Kind kind) throws Exception {
    closeAll();
    open.clear();
    return store(kind);
  }

  private static <T> T now(CompletionStage<T> stage) {
    return stage.toCompletableFuture().join();
  }

  private static StoredJob job(long number, JobState state, int priority, String submitter) {
    return job(number, state, priority, submitter, null, "");
  }

  private static StoredJob job(
      long number,
      JobState state,
      int priority,
      String submitter,
      @Nullable String key,
      String holder) {
    return job(
        number, ContentType.BYTES, new byte[] {0, 1, -1}, state, priority, submitter, key, holder);
  }

  private static StoredJob job(
      long number,
      ContentType type,
      byte[] payload,
      JobState state,
      int priority,
      String submitter,
      @Nullable String key,
      String holder) {
    boolean ended = state.ended();
    return new StoredJob(
        FIRST + number,
        "demo",
        "f",
        type,
        payload,
        new NewJob.Terms(3, 4_000, priority, submitter, 5, 6, 7),
        key,
        10,
        11,
        12,
        state,
        13,
        holder,
        1,
        2,
        14,
        ended ? 15 : 0,
        "worker-1",
        state == JobState.SUCCEEDED ? null : CAUSE,
        ContentType.JSON,
        "[1]".getBytes(StandardCharsets.UTF_8),
        false,
        ended ? 1_000 + number : 0);
  }

  private static Change added(StoredJob row) {
    return new Change(row.id(), Place.NONE, row, row.key());
  }

  private static void write(JobStore store, Change... changes) {
    now(store.write("demo", List.of(changes), Map.of(JobState.SUCCEEDED, 5L), false));
  }

  private static void same(StoredJob found, StoredJob written) {
    assertThat(found)
        .usingRecursiveComparison()
        .ignoringFields("holder", "cause")
        .isEqualTo(written);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void a_new_job_is_stored_once_its_large_payload_is_its_own_and_not_before(Kind kind) {
    List<Long> given = new ArrayList<>();
    Set<Long> unkept = new HashSet<>(Set.of(FIRST + 2));
    JobStore store =
        store(
            kind,
            job -> {
              if (unkept.contains(job.id())) {
                throw new IOException("disk full");
              }
              given.add(job.id());
            });
    BlobRef payload = new BlobRef("0123456789abcdef0123456789abcdef", 1);
    StoredJob first = large(1, payload);
    StoredJob second = large(2, payload);
    assertThatThrownBy(() -> write(store, added(first), added(second)))
        .hasMessageContaining("a large payload cannot be kept: disk full");
    assertThat(now(store.find("demo", FIRST + 1))).isEmpty();

    unkept.clear();
    given.clear();
    write(store, added(first), added(second), added(job(3, JobState.QUEUED, 0, "")));
    assertThat(given).containsExactly(FIRST + 1, FIRST + 2);
    assertThat(now(store.find("demo", FIRST + 2))).isPresent();
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void the_large_payload_of_a_job_that_is_stored_is_there_when_its_folder_is_opened_again(Kind kind)
      throws Exception {
    Path files = folder.resolve("blobs");
    BlobStore blobs = BlobStore.open(files);
    BlobRef payload = blobs.put(List.of(ByteBuffer.wrap(new byte[] {1, 2, 3})), "");
    StoredJob job = large(1, payload);
    write(store(kind, blobs), added(job));
    assertThat(BlobStore.open(files).find(payload.name()))
        .hasValueSatisfying(blob -> assertThat(blob.job()).isEqualTo(JobIds.text(job.id())));
  }

  private static StoredJob large(long number, BlobRef payload) {
    return job(number, ContentType.JSON_BLOB, payload.bytes(), JobState.QUEUED, 0, "", null, "");
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void a_job_comes_back_as_it_was_written(Kind kind) throws Exception {
    JobStore store = store(kind);
    StoredJob live = job(1, JobState.QUEUED, 2, "alice", "k", "");
    StoredJob dead = job(2, JobState.DEAD, 0, "");
    write(store, added(live), added(dead));
    store = again(kind);
    same(now(store.find("demo", live.id())).orElseThrow(), live);
    same(now(store.withKey("demo", "k")).orElseThrow(), live);
    StoredJob found = now(store.find("demo", dead.id())).orElseThrow();
    same(found, dead);
    assertThat(found.cause()).isNotNull();
    assertThat(found.cause().message()).isEqualTo(CAUSE.message());
    assertThat(found.cause().signal()).isEqualTo(9);
    assertThat(now(store.find("demo", FIRST + 3))).isEmpty();
    assertThat(now(store.find("other", live.id()))).as("another pool's").isEmpty();
    assertThat(now(store.withKey("other", "k"))).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void what_waits_is_told_by_lane_and_read_page_by_page(Kind kind) throws Exception {
    JobStore store = store(kind);
    List<Change> changes = new ArrayList<>();
    for (int i = 0; i < 25; i++) {
      changes.add(added(job(i, JobState.QUEUED, i % 2, "alice")));
    }
    changes.add(added(job(30, JobState.RUNNING, 0, "bob", null, "e1@a1")));
    changes.add(added(job(31, JobState.SUCCEEDED, 0, "bob")));
    write(store, changes.toArray(Change[]::new));
    store = again(kind);
    Opened opened = now(store.open("demo", 8));
    assertThat(opened.lanes())
        .containsExactlyInAnyOrder(
            new JobStore.Lane(0, "alice", 13),
            new JobStore.Lane(1, "alice", 12),
            new JobStore.Lane(0, "bob", 1));
    assertThat(opened.held())
        .singleElement()
        .satisfies(held -> assertThat(held.holder()).isEqualTo("e1@a1"));
    assertThat(opened.ended()).containsEntry(JobState.SUCCEEDED, 5L);
    List<StoredJob> page = now(store.page("demo", 0, "alice", 0, 5, 1000));
    assertThat(page).extracting(row -> row.id() - FIRST).containsExactly(0L, 2L, 4L, 6L, 8L);
    page = now(store.page("demo", 0, "alice", FIRST + 20, 5, 1000));
    assertThat(page).extracting(row -> row.id() - FIRST).containsExactly(22L, 24L);
    page = now(store.page("demo", 1, "alice", 0, 100, 7));
    assertThat(page).as("no more bytes than asked for, and one job").hasSize(3);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void a_job_is_in_one_place_whatever_becomes_of_it(Kind kind) {
    JobStore store = store(kind);
    StoredJob live = job(1, JobState.RUNNING, 0, "", "k", "e1@a1");
    StoredJob done = job(1, JobState.SUCCEEDED, 0, "", "k", "");
    write(store, added(live));
    write(store, new Change(live.id(), Place.LIVE, done, "k"));
    assertThat(now(store.find("demo", live.id())).orElseThrow().state())
        .isEqualTo(JobState.SUCCEEDED);
    assertThat(now(store.page("demo", 0, "", 0, 9, 99))).isEmpty();
    assertThat(now(store.open("demo", 8)).held()).isEmpty();
    write(store, new Change(live.id(), Place.ENDED, live, "k"));
    assertThat(now(store.newest("demo", Optional.empty(), 9))).isEmpty();
    assertThat(now(store.withKey("demo", "k"))).isPresent();
    write(store, new Change(live.id(), Place.LIVE, null, "k"));
    assertThat(now(store.find("demo", live.id()))).isEmpty();
    assertThat(now(store.withKey("demo", "k"))).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void of_jobs_that_follow_each_other_only_those_named_are_removed_however_many(Kind kind) {
    JobStore store = store(kind);
    List<Change> added = new ArrayList<>();
    List<Change> removed = new ArrayList<>();
    List<Long> left = new ArrayList<>();
    for (int number = 1; number <= 3_000; number++) {
      StoredJob row = job(number, JobState.QUEUED, 0, "");
      added.add(added(row));
      if (number == 1 || number == 7 || number == 8 || number == 2_500) {
        left.add(row.id());
      } else {
        removed.add(0, new Change(row.id(), Place.LIVE, null, null));
      }
    }
    write(store, added.toArray(Change[]::new));
    write(store, removed.toArray(Change[]::new));
    assertThat(now(store.page("demo", 0, "", 0, 9, 99)))
        .extracting(StoredJob::id)
        .containsExactlyElementsOf(left);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void a_write_that_may_have_been_done_can_be_done_again(Kind kind) {
    JobStore store = store(kind);
    StoredJob live = job(1, JobState.RUNNING, 0, "", "k", "e1@a1");
    StoredJob dead = job(2, JobState.DEAD, 0, "");
    List<Change> changes = List.of(added(live), added(dead));
    now(store.write("demo", changes, Map.of(), false));
    now(store.write("demo", changes, Map.of(), true));
    same(now(store.withKey("demo", "k")).orElseThrow(), live);
    same(now(store.find("demo", dead.id())).orElseThrow(), dead);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void a_write_is_done_whole_or_not_at_all(Kind kind) {
    JobStore store = store(kind);
    StoredJob first = job(1, JobState.QUEUED, 0, "");
    write(store, added(first));
    StoredJob second = job(2, JobState.QUEUED, 0, "");
    assertThatThrownBy(() -> write(store, added(second), added(first)))
        .hasCauseInstanceOf(StoreException.class)
        .hasMessageContaining("cannot be written");
    assertThat(now(store.find("demo", second.id()))).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void the_newest_come_first_over_all_queues_of_the_pool(Kind kind) {
    JobStore store = store(kind);
    now(store.open("demo", 7));
    now(store.open("demo", 9));
    now(store.open("other", 8));
    write(store, added(job(1, JobState.QUEUED, 0, "")), added(job(2, JobState.DEAD, 0, "")));
    StoredJob later = job((2L << 32) + 1, JobState.DEAD, 0, "");
    write(store, added(later));
    assertThat(now(store.newest("demo", Optional.empty(), 2)))
        .extracting(StoredJob::id)
        .containsExactly(later.id(), FIRST + 2);
    assertThat(now(store.newest("demo", Optional.of(JobState.DEAD), 9)))
        .extracting(StoredJob::id)
        .containsExactly(later.id(), FIRST + 2);
    assertThat(now(store.newest("other", Optional.empty(), 9))).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void ended_jobs_are_forgotten_when_their_time_is_over(Kind kind) {
    JobStore store = store(kind);
    StoredJob keyed = job(1, JobState.FAILED, 0, "", "k", "");
    write(
        store,
        added(keyed),
        added(job(2, JobState.DEAD, 0, "")),
        added(job(3, JobState.QUEUED, 0, "")));
    assertThat(now(store.sweep(1_001))).isEqualTo(1);
    assertThat(now(store.find("demo", FIRST + 1))).isEmpty();
    assertThat(now(store.withKey("demo", "k"))).isEmpty();
    assertThat(now(store.find("demo", FIRST + 2))).isPresent();
    assertThat(now(store.sweep(2_000))).isEqualTo(1);
    assertThat(now(store.find("demo", FIRST + 3))).as("one that waits").isPresent();
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void a_deleted_pool_leaves_nothing_behind(Kind kind) {
    JobStore store = store(kind);
    now(store.open("demo", 7));
    write(
        store,
        added(job(1, JobState.QUEUED, 0, "", "k", "e")),
        added(job(2, JobState.DEAD, 0, "")));
    now(store.forget("demo"));
    Opened opened = now(store.open("demo", 8));
    assertThat(opened.lanes()).isEmpty();
    assertThat(opened.held()).isEmpty();
    assertThat(opened.ended()).isEmpty();
    assertThat(opened.prefixes()).containsExactly(8L);
    assertThat(now(store.withKey("demo", "k"))).isEmpty();
    assertThat(now(store.find("demo", FIRST + 2))).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void each_process_is_told_from_those_before(Kind kind) throws Exception {
    JobStore store = store(kind);
    assertThat(store.lastPrefix()).isZero();
    int first = now(store.open("demo", 7)).epoch();
    assertThat(now(store.open("other", 9)).epoch()).isEqualTo(first);
    store = again(kind);
    assertThat(store.lastPrefix()).isEqualTo(9);
    assertThat(now(store.open("demo", 10)).epoch()).isEqualTo(first + 1);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void payloads_of_all_sizes_and_words_of_all_kinds_can_be_kept(Kind kind) {
    JobStore store = store(kind);
    Cause odd = Cause.of(Cause.Kind.USER, "half a letter \ud83d, none \u0000, whole \ud83d\ude00");
    int[] sizes = {0, 100, 5_000, 70_000, 8 << 20};
    for (int i = 0; i < sizes.length; i++) {
      StoredJob small = job(i, JobState.FAILED, 0, "");
      byte[] payload = new byte[sizes[i]];
      java.util.Arrays.fill(payload, (byte) i);
      StoredJob large =
          new StoredJob(
              small.id(),
              small.pool(),
              small.function(),
              ContentType.BYTES_BLOB,
              payload,
              small.terms(),
              small.key(),
              1,
              0,
              0,
              JobState.FAILED,
              1,
              "",
              1,
              0,
              1,
              1,
              "w",
              odd,
              ContentType.JSON,
              payload,
              false,
              1);
      write(store, added(large));
      StoredJob found = now(store.find("demo", large.id())).orElseThrow();
      assertThat(found.payload()).isEqualTo(payload);
      assertThat(found.result()).isEqualTo(payload);
      assertThat(found.cause()).isNotNull();
      assertThat(found.cause().message()).startsWith("half a letter").endsWith("\ud83d\ude00");
    }
  }

  @Test
  void a_file_that_h2_had_to_close_is_opened_again() throws Exception {
    Database database = Database.inFolder(folder);
    open.add(database);
    SqlJobStore store = new SqlJobStore(database, job -> {});
    open.add(store);
    write(store, added(job(1, JobState.QUEUED, 0, "")));
    try (Connection one = database.connect();
        Connection other = database.connect()) {
      assertThat(one).as("two wait in the pool").isNotSameAs(other);
    }
    // What H2 does itself when a write fails, as on a full disk.
    assertThatThrownBy(() -> closeFile(database)).isInstanceOf(SQLException.class);
    boolean written = false;
    for (int tries = 0; tries < 3 && !written; tries++) {
      try {
        write(store, added(job(2, JobState.QUEUED, 0, "")));
        written = true;
      } catch (CompletionException refused) {
        assertThat(refused).hasCauseInstanceOf(StoreException.class);
      }
    }
    assertThat(written).isTrue();
    assertThat(now(store.find("demo", FIRST + 1))).isPresent();
    assertThat(now(store.find("demo", FIRST + 2))).isPresent();
  }

  private static void closeFile(Database database) throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement()) {
      statement.execute("shutdown immediately");
    }
  }
}
