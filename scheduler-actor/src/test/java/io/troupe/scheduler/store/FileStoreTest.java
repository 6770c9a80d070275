package io.troupe.scheduler.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class FileStoreTest {
  private static final String SHA256_OF_ABC =
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

  @TempDir Path folder;

  @Test
  void a_file_that_was_added_is_found_by_its_content() throws IOException {
    Path file = Files.writeString(folder.resolve("some.bin"), "abc");
    FileStore files = FileStore.open(folder.resolve("files"));

    assertThat(files.add(file)).isEqualTo(SHA256_OF_ABC);
    assertThat(files.add(file)).isEqualTo(SHA256_OF_ABC);

    assertThat(files.has(SHA256_OF_ABC)).isTrue();
    assertThat(files.path(SHA256_OF_ABC)).hasContent("abc");
    try (var inside = Files.list(folder.resolve("files"))) {
      assertThat(inside).hasSize(1);
    }
  }

  @Test
  void what_came_in_only_half_is_swept_away_at_the_next_start() throws IOException {
    FileStore files = FileStore.open(folder);
    Path half = files.incoming();

    FileStore.open(folder);

    assertThat(half).doesNotExist();
  }
}
