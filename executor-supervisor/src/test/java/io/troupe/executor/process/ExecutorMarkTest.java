package io.troupe.executor.process;

import static io.troupe.executor.process.Processes.eventually;
import static io.troupe.executor.process.Processes.lives;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(120)
class ExecutorMarkTest {
  @Test
  void this_process_is_not_gone_and_an_earlier_one_of_its_number_is() {
    String own = ExecutorMark.own();
    String[] parts = own.split("-", 4);
    assertThat(ExecutorMark.isGone(own)).isFalse();
    parts[1] = Long.toString(Long.parseLong(parts[1]) - 1);
    assertThat(ExecutorMark.isGone(String.join("-", parts))).isTrue();
  }

  @Test
  void of_what_is_no_mark_or_of_elsewhere_nothing_is_known() {
    String[] parts = ExecutorMark.own().split("-", 4);
    assertThat(ExecutorMark.isGone("5f0c-x")).isFalse();
    assertThat(ExecutorMark.isGone(parts[0] + "-1-1-" + parts[3])).isFalse();
  }

  @Test
  void one_that_has_ended_is_gone_even_before_its_parent_has_asked_for_its_exit_code()
      throws IOException {
    Process parent =
        new ProcessBuilder("sh", "-c", "sleep 600 & echo $!; exec sleep 600 >/dev/null").start();
    try {
      long ended = Long.parseLong(parent.inputReader().readLine());
      String mark = markOf(ended);
      assertThat(ExecutorMark.isGone(mark)).isFalse();
      ProcessHandle.of(ended).orElseThrow().destroyForcibly();
      eventually("it has ended", () -> !lives(ended));
      assertThat(Path.of("/proc/" + ended)).exists();
      assertThat(ExecutorMark.isGone(mark)).isTrue();
    } finally {
      parent.descendants().forEach(ProcessHandle::destroyForcibly);
      parent.destroyForcibly();
    }
  }

  private static String markOf(long pid) throws IOException {
    String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
    String start = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[19];
    return pid + "-" + start + "-" + ExecutorMark.own().split("-", 4)[2] + "-test";
  }
}
