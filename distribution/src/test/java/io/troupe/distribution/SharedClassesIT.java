package io.troupe.distribution;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SharedClassesIT {

  @Test
  void after_a_training_all_programs_map_the_same_archive_of_classes() throws IOException {
    try (Installation troupe = new Installation("shared-classes")) {
      troupe.troupe("local", "train").well();
      troupe.up("--agents", "1").well();
      Path pool =
          troupe.write(
              "json.conf",
              """
              name = json
              command = "python3 -m troupe.worker json"
              resources { cpus = 0.1, mem = 32 MiB }
              size = 1
              """);
      troupe.troupe("pool", "apply", pool.toString()).well();
      assertThat(troupe.troupe("job", "run", "json", "dumps", "1").well().out()).contains("1");

      List<String> programs = new ArrayList<>();
      for (ProcessHandle process : troupe.processes()) {
        String command = Installation.commandLine(process);
        if (command.contains("io.troupe.") && !command.startsWith("/bin/sh")) {
          programs.add(command.replaceFirst(".* io\\.troupe\\.(\\S+).*", "$1"));
          String maps =
              Files.readString(
                  Path.of("/proc/" + process.pid() + "/maps"), StandardCharsets.ISO_8859_1);
          assertThat(maps).as(command).contains("/troupe.jsa");
        }
      }
      assertThat(programs)
          .containsExactlyInAnyOrder("local.Main", "scheduler.Main", "executor.Main");
    }
  }
}
