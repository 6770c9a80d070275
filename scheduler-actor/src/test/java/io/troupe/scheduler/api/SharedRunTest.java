package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SharedRunTest {
  private final List<CompletableFuture<String>> runs = new ArrayList<>();
  private final SharedRun<String> shared =
      new SharedRun<>(
          () -> {
            runs.add(new CompletableFuture<>());
            return runs.get(runs.size() - 1);
          });

  @Test
  void who_asks_while_a_run_is_under_way_gets_its_outcome() {
    List<CompletableFuture<String>> asked = List.of(shared.outcome(), shared.outcome());
    assertThat(runs).hasSize(1);
    runs.get(0).complete("first");
    assertThat(asked).extracting(CompletableFuture::join).containsExactly("first", "first");
  }

  @Test
  void who_asks_after_it_gets_one_of_his_own_however_the_last_ended() {
    CompletableFuture<String> first = shared.outcome();
    runs.get(0).completeExceptionally(new IllegalStateException("the database is gone"));
    CompletableFuture<String> second = shared.outcome();
    runs.get(1).complete("second");
    assertThat(first).isCompletedExceptionally();
    assertThat(second.join()).isEqualTo("second");
  }
}
