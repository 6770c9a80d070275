package io.troupe.distribution;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Copies of the store of a cluster that runs, and what comes of them. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
@Timeout(420)
class StoreIT {

  @Test
  void a_backup_of_a_running_cluster_brings_its_jobs_back_on_another_one() throws IOException {
    Path dump;
    String id;
    try (Installation troupe = new Installation("store-backup")) {
      troupe.up("--agents", "0").well();
      pool(troupe);
      Path payload = troupe.write("payload", "x".repeat(200_000));
      id =
          troupe
              .troupe("job", "submit", "lengths", "length", "--bytes", payload.toString(), "--json")
              .well()
              .json()
              .path("id")
              .asText();
      dump = troupe.directory().resolve("backup.zip");
      String dir = troupe.cluster().resolve("scheduler").toString();

      assertThat(troupe.troupe("store", "stats", "--dir", dir, "--json").well().json().path("jobs"))
          .hasToString("1");
      troupe.troupe("store", "restore", dump.toString(), "--dir", dir).oneLine(1, "not a file");
      Installation.Done done = troupe.troupe("store", "backup", dump.toString(), "--dir", dir);
      assertThat(done.well().out()).contains("1 pools, 1 jobs, 2 files");
      assertThat(done.err()).isEmpty();

      troupe.troupe("store", "backup", dump.toString(), "--dir", dir).oneLine(1, "there already");
      troupe
          .troupe("store", "restore", dump.toString(), "--dir", dir, "--replace")
          .oneLine(1, "in use", "stop the scheduler");
      troupe
          .troupe("store", "stats", "--dir", dir, "--url", "http://127.0.0.1:1")
          .oneLine(1, "in use", "cannot be asked");
      troupe
          .troupe("store", "migrate", "--dir", dir, "--to", "jdbc:postgresql://h/d?password=x")
          .oneLine(2, "TROUPE_STORE_PASSWORD");
      troupe
          .troupe("store", "stats", "--dir", dump + "-nowhere")
          .oneLine(1, "no store in", "--dir");
    }
    try (Installation troupe = new Installation("store-restore")) {
      String dir = troupe.cluster().resolve("scheduler").toString();
      Path cut = troupe.directory().resolve("cut.zip");
      Files.write(cut, java.util.Arrays.copyOf(Files.readAllBytes(dump), 1000));
      troupe
          .troupe("store", "restore", cut.toString(), "--dir", dir)
          .oneLine(1, "no backup that can be restored", "use another copy");
      troupe.troupe("store", "restore", dump.toString(), "--dir", dir).well();
      troupe
          .troupe("store", "restore", dump.toString(), "--dir", dir)
          .oneLine(1, "not empty", "1 pools, 1 jobs", "--replace");
      troupe.up("--agents", "1", "--cpus", "1.2", "--mem", "1024").well();
      JsonNode result =
          troupe.await(
              "the job of the other cluster",
              () -> {
                JsonNode job = troupe.get("/v1/jobs/" + id);
                return job.path("state").asText().equals("SUCCEEDED")
                    ? Optional.of(troupe.get("/v1/jobs/" + id + "/result"))
                    : Optional.empty();
              });
      assertThat(result.asInt()).isEqualTo(200_000);
    }
  }

  @Test
  void a_scheduler_does_not_start_on_a_store_that_is_damaged_and_leaves_it_as_it_is()
      throws IOException {
    try (Installation troupe = new Installation("store-damaged")) {
      Path file = troupe.write("store.mv.db", "this is no database ".repeat(1000));
      Path ports =
          troupe.write(
              "ports.conf",
              """
              troupe.api.port = 0
              akka.management.http.port = 0
              akka.remote.artery.canonical.port = 0
              """);
      troupe
          .troupe("scheduler", "--dir", troupe.directory().toString(), "--conf", ports.toString())
          .oneLine(1, "cannot be opened", "restore it from a copy", "move it away");
      assertThat(file).hasContent("this is no database ".repeat(1000));
    }
  }

  private static void pool(Installation troupe) throws IOException {
    troupe.write("lengths.py", "def length(text):\n    return len(text)\n");
    Path file =
        troupe.write(
            "lengths.conf",
            """
            name = lengths
            command = "python3 -m troupe.worker lengths"
            files = [ lengths.py ]
            resources { cpus = 0.5, mem = 96 MiB }
            size = 1
            """);
    troupe.troupe("pool", "apply", file.toString()).well();
  }
}
