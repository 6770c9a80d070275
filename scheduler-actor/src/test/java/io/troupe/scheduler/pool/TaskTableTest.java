package io.troupe.scheduler.pool;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.scheduler.pool.TaskTable.Reaction;
import io.troupe.scheduler.pool.WorkerRecord.Phase;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The whole table: a line for each state, a column for each phase, the first for strangers. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class TaskTableTest {

  @ParameterizedTest
  @CsvSource(
      useHeadersInDisplayName = true,
      textBlock =
          """
          STATE,            STRANGER,      LAUNCHED,     RUNNING,      STOPPING,     UNREACHABLE
          STAGING,          KILL_STRANGER, NOTE,         NOTE,         KILL_AGAIN,   BACK
          STARTING,         KILL_STRANGER, NOTE,         NOTE,         KILL_AGAIN,   BACK
          RUNNING,          KILL_STRANGER, RUNS,         NOTE,         KILL_AGAIN,   BACK
          KILLING,          NOTE,          NOTE,         NOTE,         NOTE,         NOTE
          FINISHED,         NOTE,          ENDED,        ENDED,        ENDED,        ENDED
          FAILED,           NOTE,          ENDED,        ENDED,        ENDED,        ENDED
          KILLED,           NOTE,          ENDED,        ENDED,        ENDED,        ENDED
          ERROR,            NOTE,          ENDED,        ENDED,        ENDED,        ENDED
          LOST,             NOTE,          ENDED,        ENDED,        ENDED,        ENDED
          DROPPED,          NOTE,          ENDED,        ENDED,        ENDED,        ENDED
          UNREACHABLE,      NOTE,          OUT_OF_SIGHT, OUT_OF_SIGHT, OUT_OF_SIGHT, NOTE
          GONE,             NOTE,          ENDED,        ENDED,        ENDED,        ENDED
          GONE_BY_OPERATOR, NOTE,          ENDED,        ENDED,        ENDED,        ENDED
          UNKNOWN,          NOTE,          DOUBTFUL,     DOUBTFUL,     DOUBTFUL,     ENDED
          """)
  void every_state_has_its_meaning_in_every_phase(
      TaskState state,
      Reaction stranger,
      Reaction launched,
      Reaction running,
      Reaction stopping,
      Reaction unreachable) {
    assertThat(TaskTable.of(state, null)).isEqualTo(stranger);
    assertThat(TaskTable.of(state, Phase.LAUNCHED)).isEqualTo(launched);
    assertThat(TaskTable.of(state, Phase.RUNNING)).isEqualTo(running);
    assertThat(TaskTable.of(state, Phase.STOPPING)).isEqualTo(stopping);
    assertThat(TaskTable.of(state, Phase.UNREACHABLE)).isEqualTo(unreachable);
  }

  @ParameterizedTest
  @EnumSource(TaskState.class)
  void only_what_cannot_run_again_ends_a_worker_that_is_in_sight(TaskState state) {
    boolean ends = TaskTable.of(state, Phase.RUNNING) == Reaction.ENDED;

    assertThat(ends).isEqualTo(!state.mayRun());
  }

  @Test
  void there_are_fourteen_states() {
    assertThat(TaskState.values()).hasSize(14);
  }
}
