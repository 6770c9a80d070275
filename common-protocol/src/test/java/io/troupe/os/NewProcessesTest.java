package io.troupe.os;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NewProcessesTest {
  private String loads = "0.50 0.40 0.30 2/345 4711\n";
  private final NewProcesses processes = new NewProcesses(() -> loads);

  @Test
  void are_searched_for_twice_as_the_newest_may_have_been_in_the_making_and_then_no_more() {
    assertThat(processes.possible()).isTrue();
    assertThat(processes.possible()).isTrue();
    assertThat(processes.possible()).isFalse();
    assertThat(processes.possible()).isFalse();
  }

  @Test
  void are_possible_again_when_a_number_has_been_given_to_another() {
    for (int i = 0; i < 3; i++) {
      processes.possible();
    }
    loads = "0.50 0.40 0.30 2/345 4712\n";
    assertThat(processes.possible()).isTrue();
    assertThat(processes.possible()).isTrue();
    assertThat(processes.possible()).isFalse();
  }

  @Test
  void are_not_made_by_a_load_that_changes() {
    for (int i = 0; i < 3; i++) {
      processes.possible();
    }
    loads = "0.70 0.40 0.30 1/345 4711\n";
    assertThat(processes.possible()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0.00 0.00 0.00 0/0 0\n"})
  void are_always_possible_where_the_kernel_does_not_tell(String nothing) {
    loads = nothing;
    for (int i = 0; i < 4; i++) {
      assertThat(processes.possible()).isTrue();
    }
  }

  @Test
  void of_this_machine_are_noticed() throws Exception {
    NewProcesses here = new NewProcesses();
    here.possible();
    new ProcessBuilder("true").start().waitFor();
    assertThat(here.possible()).isTrue();
  }
}
