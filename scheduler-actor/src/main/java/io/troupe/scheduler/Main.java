package io.troupe.scheduler;

import akka.actor.typed.ActorSystem;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigValueFactory;
import io.troupe.protocol.ClusterConfig;
import io.troupe.protocol.line.EventLoop;
import io.troupe.protocol.line.JobLineServer;
import io.troupe.scheduler.SchedulerSettings.Listening;
import io.troupe.scheduler.pool.Store;
import io.troupe.scheduler.pool.Store.StoreException;
import io.troupe.scheduler.store.BlobStore;
import io.troupe.scheduler.store.Database;
import io.troupe.scheduler.store.FileStore;
import io.troupe.scheduler.store.Secrets;
import io.troupe.scheduler.store.SqlJobStore;
import io.troupe.scheduler.store.SqlStore;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * A scheduler node in the foreground. Ends with 0 when told to, 1 when it cannot run, 2 on wrong
 * usage.
 */
@Command(
    name = "troupe scheduler",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Runs a scheduler node until it is told to end; workers go on without it.")
public final class Main implements Callable<Integer> {

  @Option(
      names = "--master",
      paramLabel = "URL",
      description = "Where the Mesos master is: http://host:port, or several with commas.")
  private Optional<String> master = Optional.empty();

  @Option(
      names = "--conf",
      paramLabel = "FILE",
      description = "Settings that differ from reference.conf.")
  private Optional<Path> conf = Optional.empty();

  @Option(names = "--dir", paramLabel = "DIR", description = "Where the node keeps its state.")
  private Optional<Path> dir = Optional.empty();

  @Option(
      names = "--new-framework",
      description =
          "Forgets the framework that the store knows, and all its workers, and starts a new one;"
              + " for one that the master has removed.")
  private boolean newFramework;

  @Option(names = "--check-conf", description = "Checks the settings and ends.")
  private boolean checkOnly;

  private final PrintStream out;
  private final PrintStream err;
  private final CompletableFuture<Integer> ended = new CompletableFuture<>();

  Main(PrintStream out, PrintStream err) {
    this.out = out;
    this.err = err;
  }

  /** The process. */
  public static void main(String[] args) {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    PrintStream err = new PrintStream(System.err, true, StandardCharsets.UTF_8);
    int code = run(out, err, args);
    if (code != 0) {
      System.exit(code);
    }
  }

  static int run(PrintStream out, PrintStream err, String... args) {
    CommandLine command = new CommandLine(new Main(out, err));
    command.setExecutionExceptionHandler(
        (failure, commandLine, parsed) -> {
          if (failure instanceof ConfigException || failure instanceof StoreException) {
            err.println("troupe scheduler: " + oneLine(failure));
            return 1;
          }
          throw failure;
        });
    return command.execute(args);
  }

  private static String oneLine(Throwable failure) {
    return String.valueOf(failure.getMessage()).replaceAll("\\s+", " ");
  }

  @Override
  public Integer call() throws IOException {
    Config config = withFreePort(Configuration.load(conf, commandLine()));
    SchedulerSettings checked = SchedulerSettings.from(config);
    if (checkOnly) {
      out.println("the settings are fine");
      return 0;
    }
    Optional<Listening> taken = taken(checked.ports());
    if (taken.isPresent()) {
      err.println(
          "troupe scheduler: port "
              + taken.get().port()
              + " of "
              + taken.get().host()
              + " is in use: end what listens there, or choose another with -D"
              + taken.get().key()
              + "=…");
      return 1;
    }
    Database database = open(checked);
    Store store = new SqlStore(database);
    FileStore files = FileStore.open(checked.dir().resolve("files"));
    BlobStore blobs = BlobStore.open(checked.dir().resolve("blobs"));
    SchedulerSettings settings = SchedulerSettings.from(withBundle(config, files));
    Secrets secrets = Secrets.open(checked.dir());
    Store.Saved saved = secrets.refreshed(newFramework ? forget(store) : store.load(), store);
    try (EventLoop loop = EventLoop.start("troupe-lines");
        JobLineServer lines = openLines(settings, loop)) {
      return run(
          config,
          new SchedulerNode.Parts(
              settings,
              store,
              saved,
              new SqlJobStore(database, blobs),
              lines,
              files,
              blobs,
              secrets,
              database,
              this::ready,
              this::failed));
    }
  }

  private static JobLineServer openLines(SchedulerSettings settings, EventLoop loop)
      throws IOException {
    return JobLineServer.open(new InetSocketAddress(settings.bind(), settings.linePort()), loop);
  }

  private Integer run(Config config, SchedulerNode.Parts parts) {
    ActorSystem<SchedulerNode.Command> system =
        ActorSystem.create(SchedulerNode.create(parts), ClusterConfig.SYSTEM, config);
    system
        .getWhenTerminated()
        .whenComplete(
            (done, failure) -> {
              ended.complete(failure == null ? 0 : 1);
            });
    int code = ended.join();
    system.terminate();
    return code;
  }

  private void failed(String why) {
    err.println("troupe scheduler: " + why);
    ended.complete(1);
  }

  private void ready(String url) {
    out.println("ready " + url);
  }

  private Map<String, String> commandLine() {
    Map<String, String> keys = new HashMap<>();
    master.ifPresent(url -> keys.put("troupe.mesos.master", url));
    dir.ifPresent(path -> keys.put("troupe.dir", path.toString()));
    return keys;
  }

  /** Executors are told where to fetch files before the API listens, so its port is chosen here. */
  private static Config withFreePort(Config config) throws IOException {
    if (config.getInt("troupe.api.port") != 0) {
      return config;
    }
    try (ServerSocket socket = new ServerSocket()) {
      socket.bind(new InetSocketAddress(config.getString("troupe.bind"), 0));
      return config.withValue(
          "troupe.api.port", ConfigValueFactory.fromAnyRef(socket.getLocalPort()));
    }
  }

  /** Executors that do not find Troupe on their agents fetch it from this node's files. */
  private static Config withBundle(Config config, FileStore files) throws IOException {
    String bundle = config.getString("troupe.executor.bundle-file");
    if (bundle.isEmpty() || !config.getString("troupe.executor.home").isEmpty()) {
      return config;
    }
    Path file = Path.of(bundle);
    if (!Files.isReadable(file)) {
      throw new ConfigException.BadValue(
          "troupe.executor.bundle-file", "the file " + file + " cannot be read");
    }
    return config.withValue(
        "troupe.executor.bundle", ConfigValueFactory.fromAnyRef(files.add(file)));
  }

  private static Optional<Listening> taken(List<Listening> ports) {
    for (Listening listening : ports) {
      try (ServerSocket socket = new ServerSocket()) {
        socket.setReuseAddress(true);
        socket.bind(new InetSocketAddress(listening.host(), listening.port()));
      } catch (IOException e) {
        return Optional.of(listening);
      }
    }
    return Optional.empty();
  }

  private static Database open(SchedulerSettings settings) {
    Path dir = settings.dir();
    try {
      Files.createDirectories(dir);
    } catch (IOException e) {
      throw new StoreException("the folder " + dir + " cannot be made: " + e.getMessage(), e);
    }
    return Database.open(settings.store(), dir);
  }

  private static Store.Saved forget(Store store) {
    Store.Saved old = store.load();
    store.write(old.forgettingFramework());
    return store.load();
  }
}
