package io.troupe.executor.process;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class OwnSessionTest {

  @ParameterizedTest
  @ValueSource(
      strings = {"python3 -m troupe.worker m", " ./serve --port $PORT", "/opt/a+b/run.sh > log"})
  void one_plain_command_takes_the_place_of_the_shell(String command) {
    assertThat(OwnSession.replacingTheShell(command)).isEqualTo("exec " + command.strip());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "exec python3 x.py",
        "A=1 python3 x.py",
        "cd x && python3 x.py",
        "a | b",
        "a; b",
        "a\nb",
        "if true; then a; fi",
        "(a)",
        "\"my program\" x",
        "$PROGRAM x",
        "",
      })
  void everything_else_is_left_to_the_shell(String command) {
    assertThat(OwnSession.replacingTheShell(command)).isEqualTo(command);
  }
}
