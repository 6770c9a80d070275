package io.troupe.scheduler.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.model.BlobRef;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class BlobStoreTest {
  @TempDir private Path folder;

  private static BlobRef put(BlobStore store, String text, String job) throws IOException {
    Path incoming = store.incoming();
    Files.writeString(incoming, text);
    return store.keep(incoming, job);
  }

  @Test
  void what_belongs_to_a_job_is_there_after_a_restart_and_nothing_else_is() throws IOException {
    BlobStore before = BlobStore.open(folder);
    BlobRef accepted = put(before, "payload", "");
    before.belongs(accepted, "j1");
    BlobRef result = put(before, "a result", "j2");
    BlobRef orphan = put(before, "of a job that was never accepted", "");
    before.incoming();
    BlobStore after = BlobStore.open(folder);
    assertThat(after.all()).extracting(BlobStore.Blob::job).containsExactlyInAnyOrder("j1", "j2");
    assertThat(after.find(accepted.name()).orElseThrow().ref()).isEqualTo(accepted);
    assertThat(after.find(result.name()).orElseThrow().file()).hasContent("a result");
    assertThat(after.find(orphan.name())).isEmpty();
    assertThat(after.bytes()).isEqualTo(accepted.size() + result.size());
    try (var files = Files.list(folder)) {
      assertThat(files).hasSize(3).contains(after.mark());
    }
  }

  @Test
  void a_payload_that_is_not_wanted_any_more_is_removed_only_where_no_job_has_it()
      throws IOException {
    BlobStore store = BlobStore.open(folder);
    BlobRef mine = put(store, "mine", "");
    BlobRef nobodys = put(store, "nobody's", "");
    store.belongs(mine, "j1");
    store.removeUnowned(mine.name());
    store.removeUnowned(nobodys.name());
    assertThat(store.find(mine.name())).isPresent();
    assertThat(store.find(nobodys.name())).isEmpty();
  }

  @Test
  void what_is_removed_takes_no_room() throws IOException {
    BlobStore store = BlobStore.open(folder);
    BlobRef ref = put(store, "payload", "j1");
    store.remove(ref.name());
    store.remove(ref.name());
    assertThat(store.bytes()).isZero();
    assertThat(store.mark()).exists();
    try (var files = Files.list(folder)) {
      assertThat(files).hasSize(1);
    }
  }

  @Test
  void what_others_put_here_is_found_when_it_is_asked_for_or_looked_for() throws IOException {
    BlobStore store = BlobStore.open(folder);
    String name = "0123456789abcdef0123456789abcdef";
    Files.writeString(folder.resolve(name + ".j1"), "result");
    assertThat(store.find(name, "j2")).isEmpty();
    assertThat(store.find(name, "j1").orElseThrow().ref()).isEqualTo(new BlobRef(name, 6));
    Files.writeString(folder.resolve(name.replace('0', 'f') + ".j3"), "another");
    store.lookAround();
    assertThat(store.all()).extracting(BlobStore.Blob::job).containsExactlyInAnyOrder("j1", "j3");
    assertThat(store.bytes()).isEqualTo(13);
  }

  @Test
  void bytes_are_stored_as_they_are() throws IOException {
    BlobStore store = BlobStore.open(folder);
    byte[] bytes = new byte[700_000];
    new java.util.Random(3).nextBytes(bytes);
    BlobRef ref =
        store.put(
            java.util.List.of(
                java.nio.ByteBuffer.wrap(bytes, 0, 10),
                java.nio.ByteBuffer.wrap(bytes, 10, 699_990)),
            "");
    assertThat(ref.size()).isEqualTo(700_000);
    assertThat(store.find(ref.name()).orElseThrow().file()).hasBinaryContent(bytes);
    store.belongs(ref, "j1");
    assertThat(store.find(ref.name(), "j1").orElseThrow().file()).hasBinaryContent(bytes);
  }
}
