package io.troupe.executor.process;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.typesafe.config.ConfigFactory;
import io.troupe.executor.channel.ChannelServer;
import io.troupe.executor.supervision.ServerProcess;
import io.troupe.model.ContentType;
import io.troupe.protocol.codec.Frame;
import io.troupe.protocol.line.EventLoop;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** What an executor needs around its servers, in a folder of its own. */
final class TestServers implements AutoCloseable {
  /** Starts a worker that serves the module {@code mine}. */
  static final String FRAMES = "python3 -B -m troupe.worker mine";

  static final int MIB = 1 << 20;

  private static final Path PACKAGES = Path.of("src/main/python").toAbsolutePath();

  final Sandbox sandbox;
  final FakeSecrets secrets;
  private final Path folder;
  private final EventLoop loop;
  private final ChannelServer channels;

  private TestServers(Path folder) throws IOException {
    this.folder = folder;
    sandbox = new Sandbox(folder);
    Files.createDirectories(sandbox.files());
    loop = EventLoop.start("loop");
    secrets = FakeSecrets.start(folder);
    channels = ChannelServer.open(sandbox.socket(), MIB, loop);
  }

  static TestServers in(Path folder) throws IOException {
    return new TestServers(folder);
  }

  /** As executors of this mark have them. */
  static Containers containers(String mark) {
    return new Containers(
        ConfigFactory.load().getConfig("troupe.executor.container"),
        Map.of("troupe.executor", mark),
        mark,
        PACKAGES);
  }

  /** As executors have them, those of archives with a small limit. */
  LocalServers servers(Cgroups cgroups, Containers containers, String mark) {
    return new LocalServers(
        sandbox,
        new ServerSettings(
            MIB,
            1 << 15,
            1 << 16,
            Duration.ofSeconds(30),
            MIB,
            Duration.ofMillis(50),
            Duration.ofMillis(100)),
        channels,
        Map.of("PATH", System.getenv("PATH"), "PYTHONPATH", PACKAGES.toString()),
        new Archives("python3", PACKAGES, ConfigFactory.parseString("size = 1 MiB, entries = 100")),
        new Environments(PACKAGES, folder.resolve("envs"), 1L << 40),
        cgroups,
        containers,
        secrets.files(),
        mark);
  }

  /** Sends a job as JSON. */
  static void send(ServerProcess server, long id, String function, String json) {
    server.name(id, List.of("job-" + id));
    server.send(
        List.of(new Frame(Frame.Type.JOB, ContentType.JSON, id, function, json.getBytes(UTF_8))));
  }

  /** From now on, what processes say is read no sooner than after this time. */
  void rest(Duration time) {
    CompletableFuture.runAsync(() -> loop.rest(time), loop).join();
  }

  @Override
  public void close() throws IOException {
    secrets.close();
    channels.close();
    loop.close();
  }
}
