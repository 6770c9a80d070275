package io.troupe.executor.process;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.model.ContentType;
import io.troupe.protocol.codec.Frame;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class JobNamesTest {
  private final JobNames names = new JobNames(false);

  private void comes(Frame.Type type, long id) {
    names.answered(List.of(new Frame(type, ContentType.JSON, id, "", new byte[0])));
  }

  @Test
  void a_job_that_runs_is_not_answered_when_those_behind_it_are_given_back() {
    names.add(1, List.of("a", "b", "c"));
    comes(Frame.Type.RETURNED, 3);
    assertThat(names.isAnswered(1)).isFalse();
    comes(Frame.Type.RESULT, 1);
    assertThat(names.isAnswered(1)).isTrue();
    assertThat(names.of(1)).contains("a");
  }
}
