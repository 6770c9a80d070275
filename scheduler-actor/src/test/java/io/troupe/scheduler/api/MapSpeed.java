package io.troupe.scheduler.api;

import io.troupe.scheduler.jobs.FakeSupervisor;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Measures jobs that do nothing, through HTTP and back: {@code MapSpeed local|remote [jobs]
 * [rounds]}. The supervisor is a fake without processes, in this actor system (local) or in another
 * one in a cluster node of its own in this JVM (remote). A program, not a test.
 */
final class MapSpeed {
  private MapSpeed() {}

  public static void main(String[] args) throws Exception {
    boolean remote = args[0].equals("remote");
    int jobs = args.length > 1 ? Integer.parseInt(args[1]) : 200_000;
    int rounds = args.length > 2 ? Integer.parseInt(args[2]) : 5;
    Path folder = Files.createTempDirectory("map-speed");
    try (RunningApi api = RunningApi.start("", folder)) {
      HttpClient http = HttpClient.newHttpClient();
      post(http, api.url("/v1/pools"), "name = echo");
      var identity = new FakeSupervisor.Identity("echo", "echo-1", "agent-1", 512);
      AutoCloseable supervisor = () -> {};
      if (remote) {
        supervisor = new RemoteSupervisor(api, identity, FakeSupervisor::echo);
      } else {
        api.spawn(FakeSupervisor.create(identity, FakeSupervisor::echo), "fake");
      }
      post(http, api.url("/v1/pools/echo/jobs?function=f&wait=60s"), "1");
      for (int round = 0; round < rounds; round++) {
        System.out.printf(Locale.ROOT, "map: %,.0f jobs/s%n", map(api.port(), jobs));
      }
      oneAtATime(http, api, 2000);
      oneAtATime(http, api, 2000);
      supervisor.close();
    }
  }

  private static void post(HttpClient http, String url, String body) throws Exception {
    HttpResponse<String> response =
        http.send(
            HttpRequest.newBuilder(URI.create(url))
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new IllegalStateException(response.body());
    }
  }

  private static double map(int port, int jobs) throws Exception {
    long start = System.nanoTime();
    try (MapClient client = new MapClient(port, "echo")) {
      Thread sender =
          new Thread(
              () -> {
                try {
                  StringBuilder lines = new StringBuilder();
                  for (int i = 0; i < jobs; i++) {
                    lines.append(i).append('\n');
                    if (lines.length() > 30_000 || i == jobs - 1) {
                      byte[] bytes = lines.toString().getBytes(StandardCharsets.US_ASCII);
                      client.send(bytes, bytes.length);
                      lines.setLength(0);
                    }
                  }
                  client.sendEnd();
                } catch (java.io.IOException e) {
                  throw new java.io.UncheckedIOException(e);
                }
              });
      sender.start();
      long lines = client.readLines(jobs);
      if (lines != jobs) {
        throw new IllegalStateException(lines + " lines came");
      }
      sender.join();
    }
    return jobs / ((System.nanoTime() - start) / 1e9);
  }

  private static void oneAtATime(HttpClient http, RunningApi api, int jobs) throws Exception {
    long[] nanos = new long[jobs];
    for (int i = 0; i < jobs; i++) {
      long start = System.nanoTime();
      post(http, api.url("/v1/pools/echo/jobs?function=f&wait=60s"), "1");
      nanos[i] = System.nanoTime() - start;
    }
    java.util.Arrays.sort(nanos);
    System.out.printf(
        Locale.ROOT,
        "one at a time: p50 %.3f ms, p99 %.3f ms%n",
        nanos[jobs / 2] / 1e6,
        nanos[jobs * 99 / 100] / 1e6);
  }
}
