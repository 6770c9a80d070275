package io.troupe.local.agent;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.mesos.v1.Protos.CommandInfo;
import org.apache.mesos.v1.Protos.Environment;
import org.apache.mesos.v1.Protos.ExecutorID;
import org.apache.mesos.v1.Protos.ExecutorInfo;
import org.apache.mesos.v1.Protos.FrameworkID;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class ExecutorEnvironmentTest {

  /** The recorded executor of a real agent, with the checkpoint and two variables of its own. */
  @Test
  void an_executor_gets_what_a_real_agent_gives_and_nothing_else() throws IOException {
    Map<String, String> recorded = recordedEnvironment();
    recorded.remove("LC_CTYPE"); // Python's own doing
    AgentSettings settings =
        AgentSettings.defaults("127.0.0.1", "localhost", 25051, Path.of("/work"), List.of());

    Map<String, String> ours =
        ExecutorEnvironment.of(
            settings,
            recorded.get("MESOS_SLAVE_ID"),
            ExecutorInfo.newBuilder()
                .setExecutorId(ExecutorID.newBuilder().setValue("exec-1"))
                .setFrameworkId(
                    FrameworkID.newBuilder().setValue(recorded.get("MESOS_FRAMEWORK_ID")))
                .build(),
            CommandInfo.newBuilder()
                .setEnvironment(
                    Environment.newBuilder()
                        .addVariables(variable("MY_VAR", "my value"))
                        .addVariables(variable("PATH", "/opt/own:/usr/bin:/bin")))
                .build(),
            true,
            Path.of(recorded.get("MESOS_DIRECTORY")));

    assertThat(ours).containsExactlyInAnyOrderEntriesOf(recorded);
  }

  @Test
  void durations_are_printed_in_the_largest_exact_unit() {
    assertThat(MesosDuration.print(Duration.ofSeconds(90))).isEqualTo("90secs");
    assertThat(MesosDuration.print(Duration.ofSeconds(60))).isEqualTo("1mins");
    assertThat(MesosDuration.print(Duration.ofHours(1))).isEqualTo("1hrs");
    assertThat(MesosDuration.print(Duration.ofMillis(1500))).isEqualTo("1500ms");
    assertThat(MesosDuration.print(Duration.ZERO)).isEqualTo("0ns");
  }

  private static Environment.Variable variable(String name, String value) {
    return Environment.Variable.newBuilder().setName(name).setValue(value).build();
  }

  private static Map<String, String> recordedEnvironment() throws IOException {
    try (InputStream in =
        ExecutorEnvironmentTest.class.getResourceAsStream("/transcripts/58-sandbox.json")) {
      JsonNode variables =
          new ObjectMapper()
              .readTree(in)
              .get("sandboxes")
              .get(0)
              .get("executor_process")
              .get("env");
      Map<String, String> environment = new LinkedHashMap<>();
      variables
          .fields()
          .forEachRemaining(field -> environment.put(field.getKey(), field.getValue().asText()));
      return environment;
    }
  }
}
