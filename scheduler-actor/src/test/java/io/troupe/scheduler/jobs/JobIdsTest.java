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
    for (long start : new long[] {217_000_000, 217_000_001, JobIds.LAST_PREFIX}) {
      JobIds made = new JobIds(start);
      for (int i = 0; i < 2_000; i++) {
        ids.add(JobIds.text(made.next()));
      }
    }
    assertThat(ids).doesNotHaveDuplicates().isSorted();
  }

  @Test
  void an_id_says_whose_it_is() {
    JobIds ids = new JobIds(217_000_000);
    assertThat(JobIds.prefixOf(JobIds.text(ids.next()))).hasValue(ids.prefix());
  }

  @Test
  void what_is_no_id_is_nobodys() {
    for (String text : new String[] {"", "x", "0123456789abl", "zzzzzzzzzzzzz", "0123456789abé"}) {
      assertThat(JobIds.number(text)).as(text).isEmpty();
      assertThat(JobIds.prefixOf(text)).as(text).isEmpty();
    }
  }

  @Test
  void an_id_is_a_number_and_back() {
    for (long number : new long[] {0, 1, 31, 32, 1L << 32, Long.MAX_VALUE}) {
      assertThat(JobIds.number(JobIds.text(number))).hasValue(number);
    }
  }

  @Test
  void ids_are_short_and_fit_into_a_url() {
    assertThat(JobIds.text(new JobIds(217_000_000).next())).matches("[0-9a-z]{13}");
  }
}
