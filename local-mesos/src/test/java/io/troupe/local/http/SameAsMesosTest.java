package io.troupe.local.http;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ours and a real Mesos say the same to the same calls. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class SameAsMesosTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "10-subscribe-json",
        "11-subscribe-protobuf",
        "20-launch-ok",
        "21-launch-many",
        "22-no-ack",
        "23-kill",
        "24-reconcile",
        "25-decline-filters",
        "26-suppress-revive",
        "27-bad-launches",
        "28-executor-failures",
        "29-message",
        "30-teardown",
        "31-executor-invalid-calls",
        "32-executor-reconnect",
        "40-framework-failover",
        "41-framework-disconnect",
        "42-failover-timeout",
        "43-agent-killed",
        "44-agent-restart",
        "54-two-frameworks",
        "57-command-task",
        "58-sandbox",
        "60-silent-executor",
      })
  void what_a_real_mesos_said_is_what_ours_says(String recording, @TempDir Path workDir)
      throws IOException {
    Replay.play(recording, workDir);
  }
}
