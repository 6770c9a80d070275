package io.troupe.scheduler.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class JobIdsTest {

  @Test
  void ids_are_different_and_sort_as_they_were_made_over_restarts_too() {
    List<String> ids = new ArrayList<>();
    for (long start : new long[] {1_795_000_000_000L, 1_795_000_000_001L, 1_895_000_000_000L}) {
      JobIds made = new JobIds(start);
      for (int i = 0; i < 2_000; i++) {
        ids.add(made.next());
      }
    }
    assertThat(ids).doesNotHaveDuplicates().isSorted();
  }

  @Test
  void an_id_says_whose_it_is() {
    JobIds ids = new JobIds(1_795_000_000_000L);
    assertThat(JobIds.prefixOf(ids.next())).isEqualTo(ids.prefix());
    assertThat(JobIds.prefixOf("x")).isEqualTo("x");
  }

  @Test
  void ids_are_short_and_fit_into_a_url() {
    assertThat(new JobIds(1_795_000_000_000L).next()).matches("[0-9a-z]{16}");
  }
}
