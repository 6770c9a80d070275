package io.troupe.scheduler.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.model.BlobRef;
import io.troupe.model.ContentType;
import io.troupe.scheduler.jobs.JobIds;
import io.troupe.scheduler.jobs.JobState;
import io.troupe.scheduler.jobs.JobStore;
import io.troupe.scheduler.jobs.JobStore.Change;
import io.troupe.scheduler.jobs.JobStore.Place;
import io.troupe.scheduler.jobs.MemoryJobStore;
import io.troupe.scheduler.jobs.NewJob;
import io.troupe.scheduler.jobs.StoredJob;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class OwningJobStoreTest {
  private static final long ID = (1L << 32) + 1;

  private final MemoryJobStore stored = new MemoryJobStore();
  private @TempDir Path folder;
  private BlobStore blobs;
  private JobStore store;

  @BeforeEach
  void open() throws IOException {
    blobs = BlobStore.open(folder);
    store = new OwningJobStore(stored, blobs, Runnable::run);
  }

  private BlobRef blob() throws IOException {
    return blobs.put(List.of(ByteBuffer.wrap(new byte[] {1, 2, 3})), "");
  }

  private void write(ContentType type, byte[] payload) {
    var unused =
        store.write(
            "demo", List.of(new Change(ID, Place.NONE, job(type, payload), null)), Map.of(), false);
  }

  private static StoredJob job(ContentType type, byte[] payload) {
    return new StoredJob(
        ID,
        "demo",
        "f",
        type,
        payload,
        new NewJob.Terms(3, 4_000, 0),
        null,
        10,
        0,
        0,
        JobState.QUEUED,
        0,
        "",
        0,
        0,
        0,
        0,
        "",
        null,
        ContentType.JSON,
        new byte[0],
        false,
        0);
  }

  @Test
  void a_scheduler_that_dies_before_the_job_is_stored_leaves_a_payload_that_is_the_jobs()
      throws IOException {
    BlobRef payload = blob();
    stored.hold();
    write(ContentType.JSON_BLOB, payload.bytes());
    assertThat(stored.rows()).isEmpty();
    assertThat(BlobStore.open(folder).find(payload.name()))
        .hasValueSatisfying(blob -> assertThat(blob.job()).isEqualTo(JobIds.text(ID)));
  }

  @Test
  void a_job_is_stored_with_its_payload() throws IOException {
    BlobRef payload = blob();
    write(ContentType.BYTES_BLOB, payload.bytes());
    assertThat(stored.rows()).hasSize(1);
    assertThat(BlobStore.open(folder).find(payload.name())).isPresent();
  }

  @Test
  void a_read_sees_a_write_that_was_asked_for_before_it_also_when_files_take_their_time()
      throws IOException {
    Deque<Runnable> slow = new ArrayDeque<>();
    store = new OwningJobStore(stored, blobs, slow::add);
    write(ContentType.JSON_BLOB, blob().bytes());
    CompletableFuture<Optional<StoredJob>> found = store.find("demo", ID).toCompletableFuture();
    while (!slow.isEmpty()) {
      slow.remove().run();
    }
    assertThat(found.join()).isPresent();
  }

  @Test
  void jobs_whose_payload_is_in_their_row_are_stored_as_they_are() {
    write(ContentType.JSON, new byte[] {'1'});
    assertThat(stored.rows()).hasSize(1);
  }

  @Test
  void a_payload_that_is_not_wanted_any_more_is_removed_only_where_no_job_has_it()
      throws IOException {
    BlobRef mine = blob();
    BlobRef nobodys = blob();
    write(ContentType.JSON_BLOB, mine.bytes());
    blobs.removeUnowned(mine.name());
    blobs.removeUnowned(nobodys.name());
    assertThat(blobs.find(mine.name())).isPresent();
    assertThat(blobs.find(nobodys.name())).isEmpty();
  }
}
