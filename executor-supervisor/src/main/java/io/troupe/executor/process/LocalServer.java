package io.troupe.executor.process;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import io.troupe.executor.channel.Channel;
import io.troupe.executor.channel.ChannelListener;
import io.troupe.executor.channel.ChannelServer;
import io.troupe.executor.channel.Hello;
import io.troupe.executor.channel.HttpJobs;
import io.troupe.executor.supervision.ServerEvent;
import io.troupe.executor.supervision.ServerProcess;
import io.troupe.model.ContentType;
import io.troupe.model.PoolFile;
import io.troupe.model.PoolSecret;
import io.troupe.model.Requirements;
import io.troupe.model.Sha256;
import io.troupe.model.Upkeep;
import io.troupe.model.WorkerProtocol;
import io.troupe.protocol.Parts;
import io.troupe.protocol.TaskData;
import io.troupe.protocol.WorkerStatus.ProcessStatus;
import io.troupe.protocol.WorkerStatus.Progress;
import io.troupe.protocol.codec.Frame;
import io.troupe.timers.Beat;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.apache.commons.exec.CommandLine;
import org.apache.commons.exec.DefaultExecutor;
import org.apache.commons.exec.PumpStreamHandler;
import org.apache.commons.exec.StreamPumper;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One server process: its start, its end, and all that is killed with it. */
final class LocalServer implements ServerProcess {
  private static final Logger log = LoggerFactory.getLogger(LocalServer.class);
  static final String WORKER_MARK = "TROUPE_WORKER_MARK";

  /** By these its processes are found, and killed. */
  static final Set<String> MARKS = Set.of(WORKER_MARK, LocalServers.EXECUTOR_MARK);

  /** What tells numeric libraries how many threads they may start; each else takes the machine. */
  private static final List<String> THREAD_CAPS =
      List.of(
          "OMP_NUM_THREADS",
          "OPENBLAS_NUM_THREADS",
          "MKL_NUM_THREADS",
          "NUMEXPR_NUM_THREADS",
          "VECLIB_MAXIMUM_THREADS");

  /** What is read of a job's parts at once; a longer one is told with the result alone. */
  private static final int PARTS_BYTES = 256 << 10;

  private static final int PARTS_LOOKS = 40;
  private static final long PARTS_LOOK_MILLIS = 25;

  private static final Pattern PORT = Pattern.compile("PORT\\d*");

  private static final int MOST_PREPARATIONS = 5;
  private static final int MOST_CHARS = 200;

  /** What a shell without one has. */
  private static final String DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin";

  /** The exit code of podman and docker where they, not the command, have failed. */
  private static final int ENGINE_FAILED = 125;

  private static final int NAME_CHARS = 8;
  private static final int SIGNAL_BASE = 128;
  private static final int SIGKILL = 9;
  private static final int SIGNAL_SECONDS = 5;
  private static final int LAST_WORDS_SECONDS = 5;
  private static final int STACK_LINES = 60;
  private static final int MAX_SIGNAL = 64;
  private static final long PUMP_STOP_MILLIS = 1000;
  private static final int PUMP_BYTES = 64 << 10;
  private static final long PROBE_MILLIS = 100;
  private static final long HEALTH_MILLIS = 2000;
  private static final int HEALTH_FAILURES = 3;

  /**
   * What all processes of an executor have in common: what {@link LocalServers} is given, and what
   * it adds.
   *
   * @param chores does what is due at its time, and must not be held up
   * @param logWriter writes what processes print
   */
  record Common(
      Sandbox sandbox,
      ServerSettings settings,
      ChannelServer channels,
      Map<String, String> environment,
      Archives archives,
      Environments environments,
      Cgroups cgroups,
      Containers containers,
      SecretFiles secrets,
      OwnSession session,
      ForkServers forks,
      ScheduledExecutorService chores,
      Executor logWriter) {}

  private final String worker;
  private final long start;
  private final TaskData.Worker spec;
  private final Consumer<ServerEvent> events;
  private final Common common;

  /** Open until all that it has said has been told. */
  private final CountDownLatch hungUp = new CountDownLatch(1);

  /** What a process sent last may not have been handled when its end is known. */
  private static final long RESULTS_STAY_SECONDS = 10;

  private final String token = UUID.randomUUID().toString();
  private final String mark = UUID.randomUUID().toString();
  private volatile LogTail tail = new LogTail();
  private final JobNames names;

  /** How many jobs it runs at once. */
  private final int width;

  private final MemoryWatch memory;
  private volatile @Nullable Seat seat;
  private volatile @Nullable Process process;
  private volatile @Nullable Channel channel;
  private volatile @Nullable HttpJobs http;
  private volatile boolean killed;

  /** The process that a fork server made of it; 0 where it was started. */
  private volatile long forked;

  /** What is being done before it can be started; empty when nothing is. */
  private volatile String preparing = "";

  /** The process is not yet the server, but one that does what has to be done before. */
  private volatile boolean helping;

  private @Nullable Path virtual;
  private @Nullable Path secretFolder;
  private volatile boolean over;
  private long pid;
  private double cpuSeconds;
  private long sampledNanos;

  LocalServer(
      String worker,
      long start,
      TaskData.Worker spec,
      Consumer<ServerEvent> events,
      Common common) {
    this.worker = worker;
    this.start = start;
    this.spec = spec;
    this.events = events;
    this.common = common;
    this.width = spec.serving().concurrency();
    this.names = new JobNames(width > 1);
    this.memory = new MemoryWatch(memBytes(spec), () -> tree().members());
  }

  /** How much memory it may take, in MiB. */
  static double memMb(TaskData.Worker spec) {
    return spec.upkeep().memMb() > 0 ? spec.upkeep().memMb() : spec.memMb();
  }

  private static long memBytes(TaskData.Worker spec) {
    return Math.round(memMb(spec) * (1 << 20));
  }

  /** The whole life of the process, on the thread that starts it. */
  void run() {
    ServerEvent.Ended ended;
    try {
      ended = checkFiles();
      if (ended == null) {
        ended = prepare();
      }
      if (ended == null) {
        ended = execute();
      }
    } catch (IOException | RuntimeException e) {
      log.warn("Worker {} cannot be started", worker, e);
      ended = trouble("cannot be started: " + e.getMessage(), true);
    } finally {
      over = true;
      cleanUp();
    }
    awaitLastWords();
    events.accept(ended);
  }

  /** What it has said before its end may not have been read yet, and is told before it. */
  private void awaitLastWords() {
    if (channel == null) {
      return;
    }
    try {
      if (!hungUp.await(LAST_WORDS_SECONDS, TimeUnit.SECONDS)) {
        log.warn("Worker {} has ended, but something holds its connection", worker);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whatever comes of it, the end of the process is told after it. */
  private void cleanUp() {
    try {
      common.channels().forget(token);
      common.secrets().remove(ownFolder());
    } catch (RuntimeException e) {
      log.warn("Worker {} leaves something behind", worker, e);
    }
  }

  private ServerEvent.@Nullable Ended checkFiles() throws IOException {
    Files.createDirectories(common.sandbox().files());
    if (spec.protocol() == WorkerProtocol.HTTP && spec.ports().isEmpty()) {
      return trouble("protocol http needs a port: ask for one in the pool's resources", false);
    }
    for (PoolFile file : spec.files()) {
      ServerEvent.Ended trouble = check(file.name(), common.sandbox().fetched(file), file.sha256());
      if (trouble == null && file.form() != PoolFile.Form.FILE) {
        trouble = unpack(file);
      }
      if (trouble != null) {
        return trouble;
      }
    }
    Requirements requirements = spec.requirements();
    return requirements.isEmpty()
        ? null
        : check(
            TaskData.REQUIREMENTS,
            common.sandbox().root().resolve(TaskData.REQUIREMENTS),
            requirements.sha256());
  }

  private ServerEvent.@Nullable Ended check(String name, Path file, String sha256)
      throws IOException {
    if (!Files.isRegularFile(file)) {
      return trouble("file " + name + " of the pool was not fetched", false);
    }
    String found = Sha256.of(file);
    return found.equals(sha256)
        ? null
        : trouble("file " + name + " has SHA-256 " + found + " instead of " + sha256, false);
  }

  private ServerEvent.@Nullable Ended unpack(PoolFile file) throws IOException {
    boolean done =
        common
            .archives()
            .unpack(
                file,
                () -> {
                  helping = true;
                  List<String> command =
                      common
                          .session()
                          .shell(common.archives().command(file, common.sandbox()), Upkeep.NONE);
                  boolean unpacked =
                      run(command, isContained() ? common.environment() : environmentOfProcess())
                          == 0;
                  helping = false;
                  return unpacked;
                });
    if (done) {
      return null;
    }
    return trouble(
        "archive " + file.name() + " of the pool cannot be unpacked" + lastLine(), killed);
  }

  /** Has all ready that the process needs to start. */
  private ServerEvent.@Nullable Ended prepare() throws IOException {
    ServerEvent.Ended trouble = isContained() ? pull() : install();
    if (trouble == null && !spec.secrets().isEmpty()) {
      trouble = fetchSecrets();
    }
    if (trouble == null && !spec.preparation().isZero()) {
      preparing = "";
      events.accept(new ServerEvent.Prepared());
    }
    return trouble;
  }

  private ServerEvent.@Nullable Ended fetchSecrets() {
    preparing = "fetching secrets";
    try {
      boolean forAnother = isContained() && !spec.container().user().isEmpty();
      secretFolder = common.secrets().lay(ownFolder(), spec.secrets(), forAnother, () -> !killed);
      return null;
    } catch (IOException e) {
      return trouble(String.valueOf(e.getMessage()), true);
    }
  }

  private String ownFolder() {
    return worker + "-" + start;
  }

  /**
   * Has what the pool requires installed, by a process that ends as the worker's own would. An
   * environment that another executor removes as soon as it is there is made again.
   */
  private ServerEvent.@Nullable Ended install() throws IOException {
    Requirements requirements = spec.requirements();
    if (requirements.isEmpty()) {
      return null;
    }
    virtual = common.environments().of(requirements).orElse(null);
    for (int made = 0; virtual == null; made++) {
      if (made == MOST_PREPARATIONS) {
        return trouble("its environment was removed as soon as it was there", true);
      }
      Path answer = common.sandbox().environment(worker, start);
      Map<String, String> variables = environmentOfProcess();
      variables.keySet().removeIf(name -> name.startsWith("PYTHON"));
      variables.put("PYTHONUNBUFFERED", "1");
      variables.putAll(common.environments().variables(requirements, common.sandbox(), answer));
      preparing = "installing requirements";
      helping = true;
      int code =
          run(
              common.session().shell(common.environments().command(requirements), Upkeep.NONE),
              variables);
      if (code != 0) {
        return ended(code);
      }
      Path environment = Path.of(Files.readString(answer));
      Files.delete(answer);
      virtual = common.environments().hold(requirements, environment) ? environment : null;
    }
    helping = false;
    tail = new LogTail();
    return null;
  }

  private boolean isContained() {
    return !spec.container().isEmpty();
  }

  /** Has the image brought here, by a process that ends as the worker's own would. */
  private ServerEvent.@Nullable Ended pull() throws IOException {
    String image = spec.container().image();
    Optional<String> trouble = common.containers().trouble();
    if (trouble.isPresent()) {
      return trouble(trouble.get(), false);
    }
    if (!common.containers().has(image)) {
      preparing = "pulling " + image;
      helping = true;
      int code =
          run(
              common.session().shell(common.containers().pull(image), Upkeep.NONE),
              common.environment());
      if (code != 0) {
        return killed ? ended(code) : trouble("its image cannot be pulled" + lastLine(), true);
      }
      helping = false;
      tail = new LogTail();
    }
    return null;
  }

  private String lastLine() {
    List<String> lines = tail.lines();
    return lines.isEmpty() ? "" : ": " + lines.get(lines.size() - 1).strip();
  }

  /** Until it has ended, and all it has started. */
  private int run(List<String> command, Map<String, String> variables) throws IOException {
    CommandLine line = new CommandLine(command.get(0));
    command.stream().skip(1).forEach(argument -> line.addArgument(argument, false));
    try (OutputStream out = lines(common.sandbox().output(worker));
        OutputStream err = lines(common.sandbox().errors(worker))) {
      return new Execution(out, err).execute(line, variables);
    }
  }

  private ServerEvent.Ended execute() throws IOException {
    if (spec.protocol() == WorkerProtocol.FRAMES) {
      seat = Seat.create(common.sandbox().seat(worker, start), width);
      common.channels().expect(token, new FromProcess());
    }
    ServerEvent.Ended ended;
    if (isContained()) {
      int code = runContained();
      ended =
          code == ENGINE_FAILED && !killed
              ? trouble("its container cannot be run" + lastLine(), true)
              : ended(code);
    } else {
      ended = runPlain();
    }
    sandboxTidy();
    ScheduledFuture<?> unused =
        common.chores().schedule(this::removeResults, RESULTS_STAY_SECONDS, TimeUnit.SECONDS);
    return ended;
  }

  private ServerEvent.Ended runPlain() throws IOException {
    Optional<WorkerGroup> group = common.cgroups().make(ownFolder(), memBytes(spec), spec.cpus());
    group.ifPresent(memory::within);
    try {
      Map<String, String> variables = environmentOfProcess();
      List<String> command;
      if (spec.serving().preload()) {
        ForkServers.Server server =
            common.forks().of(spec.command(), ofAllWorkers(variables), () -> !killed);
        group.ifPresent(each -> variables.put("TROUPE_GROUPS", each.paths()));
        command = OwnSession.limited(common.archives().forked(server), spec.upkeep());
      } else {
        command = OwnSession.limited(spec.command(), spec.upkeep());
      }
      List<String> joined = group.map(each -> each.joined(command)).orElse(command);
      return ended(run(common.session().program(joined), variables));
    } catch (ForkServers.EndedException e) {
      e.lines().forEach(line -> tail.add(line.getBytes(UTF_8), line.getBytes(UTF_8).length));
      return ended(e.code());
    } finally {
      group.ifPresent(WorkerGroup::remove);
    }
  }

  /** Without what only this worker has. */
  private Map<String, String> ofAllWorkers(Map<String, String> variables) {
    Map<String, String> all = new HashMap<>(variables);
    spec.secrets().forEach(secret -> all.remove(secret.name() + PoolSecret.VARIABLE_SUFFIX));
    all.keySet()
        .removeIf(
            name ->
                name.equals(WORKER_MARK)
                    || PORT.matcher(name).matches()
                    || (name.startsWith("TROUPE_") && !name.equals(LocalServers.EXECUTOR_MARK)));
    return all;
  }

  private int runContained() throws IOException {
    if (!spec.container().user().isEmpty()) {
      common.sandbox().openTo(worker, start);
    }
    String name = "troupe-" + worker + "-" + mark.substring(0, NAME_CHARS);
    Containers.Start contained =
        common
            .containers()
            .start(
                name,
                spec,
                Map.of("troupe.task", worker, "troupe.attempt", Long.toString(start)),
                OwnSession.plainShell(spec.command(), spec.upkeep()),
                common.sandbox(),
                Optional.ofNullable(secretFolder),
                environmentOfProcess(),
                common.environment());
    int code = run(common.session().program(contained.command()), contained.environment());
    if (killed || code != 0) {
      // The engine removes it, unless its command line was killed in the middle of something.
      CompletableFuture<Void> unused =
          CompletableFuture.runAsync(() -> common.containers().remove(name));
    }
    return code;
  }

  private OutputStream lines(Path file) {
    return new LogLines(
        file,
        common.settings().logBytes(),
        tail,
        number -> names.of(number).orElse("-"),
        () -> width == 1 ? begun().orElse(0L) : 0L,
        common.logWriter());
  }

  private ServerEvent.Ended ended(int code) {
    boolean signalled = code > SIGNAL_BASE && code <= SIGNAL_BASE + MAX_SIGNAL;
    boolean killedFromOutside = !killed && code == SIGNAL_BASE + SIGKILL;
    return new ServerEvent.Ended(
        signalled ? null : code,
        signalled ? code - SIGNAL_BASE : null,
        "",
        true,
        tail.lines(),
        memory.atEnd(killedFromOutside),
        stacks());
  }

  private ServerEvent.Ended trouble(String what, boolean curable) {
    return new ServerEvent.Ended(
        null, null, what, curable, tail.lines(), memory.atEnd(false), List.of());
  }

  private List<String> stacks() {
    Path file = common.sandbox().stacks(worker, start);
    if (!isFile(file)) {
      return List.of(); // it does not write any
    }
    try {
      return Files.readAllLines(file, ISO_8859_1).stream()
          .filter(line -> !line.isBlank())
          .limit(STACK_LINES)
          .toList();
    } catch (IOException e) {
      return List.of(); // it does not write any
    }
  }

  private void sandboxTidy() {
    try {
      Files.deleteIfExists(common.sandbox().seat(worker, start));
      Files.deleteIfExists(common.sandbox().stacks(worker, start));
    } catch (IOException e) {
      log.debug("A seat stays behind", e);
    }
  }

  /** Those that it was about to write, or that nobody has taken. */
  private void removeResults() {
    try (var files =
        Files.newDirectoryStream(common.sandbox().blobs(), worker + "-" + start + "-*")) {
      for (Path file : files) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      log.debug("Results stay behind", e);
    }
  }

  private Map<String, String> environmentOfProcess() {
    Map<String, String> all = new HashMap<>(common.environment());
    if (isContained()) {
      // The rest is the machine's, not the image's.
      all.keySet().retainAll(Set.of("PYTHONPATH", LocalServers.EXECUTOR_MARK));
    }
    all.put("PYTHONUNBUFFERED", "1");
    String threads = Long.toString(Math.max(1, Math.round(Math.ceil(spec.cpus()))));
    all.putAll(spec.env());
    for (String library : THREAD_CAPS) {
      all.putIfAbsent(library, threads);
    }
    all.put(WORKER_MARK, mark);
    all.put("TROUPE_WORKER", worker);
    if (spec.protocol() == WorkerProtocol.FRAMES) {
      all.put("TROUPE_SOCKET", common.sandbox().socketForWorkers());
      all.put("TROUPE_TOKEN", token);
      all.put("TROUPE_SEAT", common.sandbox().seat(worker, start).toString());
      all.put("TROUPE_STACKS", common.sandbox().stacks(worker, start).toString());
      all.put("TROUPE_MAX_FRAME", Integer.toString(common.settings().maxFrameBytes()));
      all.put("TROUPE_BLOBS", common.sandbox().blobs().resolve(worker + "-" + start).toString());
      all.put("TROUPE_INLINE_RESULT", Integer.toString(common.settings().inlineResultBytes()));
      all.put("TROUPE_CONCURRENCY", Integer.toString(width));
      all.put("TROUPE_MAX_RESULT", Long.toString(common.settings().maxResultBytes()));
    }
    String path = all.getOrDefault("PYTHONPATH", "");
    all.put(
        "PYTHONPATH", path + (path.isEmpty() ? "" : File.pathSeparator) + common.sandbox().files());
    Path own = virtual;
    if (own != null) {
      String programs = all.getOrDefault("PATH", DEFAULT_PATH);
      all.put("PATH", own.resolve("bin") + File.pathSeparator + programs);
      all.put("VIRTUAL_ENV", own.toString());
    }
    for (int i = 0; i < spec.ports().size(); i++) {
      all.put("PORT" + i, spec.ports().get(i).toString());
    }
    if (!spec.ports().isEmpty()) {
      all.put("PORT", spec.ports().get(0).toString());
    }
    Path laid = secretFolder;
    if (laid != null) {
      for (TaskData.Secret secret : spec.secrets()) {
        all.put(secret.name() + PoolSecret.VARIABLE_SUFFIX, laid.resolve(secret.name()).toString());
      }
    }
    return all;
  }

  private void launched(Process started) {
    synchronized (this) {
      pid = started.pid();
      sampledNanos = System.nanoTime();
    }
    process = started;
    if (killed) {
      kill();
    }
    events.accept(new ServerEvent.Started(started.pid()));
    if (helping) {
      return; // what installs packages may take more memory than they do
    }
    watchMemory();
    if (spec.protocol() != WorkerProtocol.FRAMES) {
      if (isContained()) {
        common.chores().execute(() -> find(0));
      }
      long first =
          spec.ports().isEmpty() ? common.settings().settleTime().toMillis() : PROBE_MILLIS;
      probeIn(first);
    }
  }

  private void watchMemory() {
    if (over) {
      return;
    }
    Process started = process;
    if (started != null && memory.look(isContained() ? 0 : started.pid())) {
      kill();
    } else {
      long every = common.settings().memoryEvery().toNanos();
      long due =
          memory.isKeptByKernel()
              ? Beat.delay(System.nanoTime(), Math.max(every, Beat.NANOS))
              : every;
      ScheduledFuture<?> unused =
          common.chores().schedule(this::watchMemory, due, TimeUnit.NANOSECONDS);
    }
  }

  /** Whether a process that says no HELLO is ready: it lives, and takes connections on its port. */
  private void probe() {
    if (over) {
      return;
    }
    if (!spec.ports().isEmpty() && !accepts(spec.ports().get(0))) {
      probeIn(PROBE_MILLIS);
    } else if (spec.protocol() == WorkerProtocol.HTTP) {
      probe(
          new HttpJobs(
              spec.ports().get(0),
              (int) Math.min(ServerSettings.LARGEST_MESSAGE, common.settings().maxResultBytes()),
              width,
              this::received));
    } else {
      events.accept(new ServerEvent.Answered());
    }
  }

  private void probe(HttpJobs requests) {
    String path = spec.http().ready();
    if (path.isEmpty()) {
      answered(requests);
      return;
    }
    CompletableFuture<Void> unused =
        requests
            .check(path)
            .thenAccept(
                ready -> {
                  if (ready) {
                    answered(requests);
                  } else if (!over) {
                    later(() -> probe(requests), PROBE_MILLIS);
                  }
                });
  }

  private void received(List<Frame> frames) {
    names.answered(frames);
    events.accept(new ServerEvent.Received(frames));
  }

  private void answered(HttpJobs requests) {
    http = requests;
    events.accept(new ServerEvent.Answered());
    if (!spec.http().health().isEmpty()) {
      checkHealth(requests, 0);
    }
  }

  /** A server that has a job may be too busy to answer; its job's timeout watches over it. */
  private void checkHealth(HttpJobs requests, int failures) {
    if (over) {
      return;
    }
    boolean idle = requests.isIdle();
    CompletableFuture<Void> unused =
        requests
            .check(spec.http().health())
            .thenAccept(
                well -> {
                  int now = well || !idle || !requests.isIdle() ? 0 : failures + 1;
                  if (now == HEALTH_FAILURES) {
                    String path = spec.http().health();
                    events.accept(
                        new ServerEvent.HungUp(
                            "GET " + path + " failed " + now + " times in a row"));
                  } else if (!over) {
                    later(() -> checkHealth(requests, now), HEALTH_MILLIS);
                  }
                });
  }

  private void probeIn(long millis) {
    later(this::probe, millis);
  }

  private void later(Runnable chore, long millis) {
    ScheduledFuture<?> unused = common.chores().schedule(chore, millis, TimeUnit.MILLISECONDS);
  }

  private static boolean accepts(int port) {
    try (Socket socket = new Socket()) {
      socket.connect(
          new InetSocketAddress(InetAddress.getLoopbackAddress(), port), (int) PROBE_MILLIS);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private ProcessTree tree() {
    Process started = process;
    // The session of a container's process is its own.
    long leader =
        started != null && common.session().leads() && !isContained() ? started.pid() : -1;
    if (forked > 0) {
      leader = forked; // in a session of its own; what stands for it carries the mark
    }
    return new ProcessTree(leader, WORKER_MARK + "=" + mark);
  }

  /**
   * Finds the process that is meant by a number in its container; until then signals go by way of
   * the engine's command line.
   *
   * @param inside the number; 0 for the first that is no init
   */
  private void find(long inside) {
    if (over) {
      return;
    }
    long least = inside == 0 && common.containers().hasInit() ? 2 : Math.max(1, inside);
    Optional<ProcessTable.Contained> found =
        tree().members().stream()
            .flatMap(process -> ProcessTable.contained(process.pid()).stream())
            .filter(process -> process.inside() >= least)
            .min(Comparator.comparingLong(ProcessTable.Contained::inside))
            .filter(process -> inside == 0 || process.inside() == inside);
    if (found.isEmpty()) {
      later(() -> find(inside), PROBE_MILLIS);
      return;
    }
    synchronized (this) {
      pid = found.get().pid();
      cpuSeconds = 0;
    }
  }

  @Override
  public void name(long first, List<String> jobs) {
    names.add(first, jobs);
  }

  @Override
  public void send(List<Frame> frames) {
    Channel connected = channel;
    if (connected != null) {
      connected.send(frames);
    }
    HttpJobs requests = http;
    if (requests != null) {
      requests.send(frames);
    }
  }

  @Override
  public Optional<Long> begun() {
    HttpJobs requests = http;
    return requests != null
        ? Optional.of(requests.begun())
        : Optional.ofNullable(seat).map(Seat::begun);
  }

  @Override
  public void interrupt(long id) {
    if (seat != null && width > 1) {
      send(List.of(new Frame(Frame.Type.CANCEL, ContentType.JSON, id, "", new byte[0])));
    } else {
      ask(words -> words.cancel(id));
    }
    HttpJobs requests = http;
    if (requests != null) {
      requests.interrupt(id);
    }
  }

  @Override
  public void nudge(long id) {
    ask(words -> words.flush(id));
  }

  @Override
  public void recall(long id, long last) {
    ask(words -> words.recall(id, last));
  }

  /** Writes into its seat, if it has one, what is asked of it, and has it look there. */
  private void ask(Consumer<Seat> what) {
    Seat shared = seat;
    if (shared != null) {
      what.accept(shared);
      common.chores().execute(() -> signal("INT"));
    }
  }

  @Override
  public void recordStacks() {
    if (!over) {
      common
          .chores()
          .execute(
              () -> {
                if (emptied(common.sandbox().stacks(worker, start))) {
                  signal("QUIT");
                }
              });
    }
  }

  /** Whether it is there: a process that makes this file takes SIGQUIT as an order to write it. */
  private boolean emptied(Path file) {
    if (!isFile(file)) {
      return false;
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE, NOFOLLOW_LINKS)) {
      channel.truncate(0);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  /** A signal that Java cannot send, by the shell's own kill; delivered when this returns. */
  private synchronized void signal(String name) {
    if (over) {
      return;
    }
    try {
      new ProcessBuilder("/bin/sh", "-c", "kill -" + name + " " + pid)
          .redirectErrorStream(true)
          .redirectOutput(ProcessBuilder.Redirect.DISCARD)
          .start()
          .waitFor(SIGNAL_SECONDS, TimeUnit.SECONDS);
    } catch (IOException e) {
      log.warn("Worker {} cannot be sent SIG{}: {}", worker, name, e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void terminate() {
    if (!over) {
      common.chores().execute(() -> tree().terminate());
    }
  }

  @Override
  public void kill() {
    killed = true;
    Process started = process;
    if (started != null && !over) {
      started.destroyForcibly();
      common.chores().execute(() -> tree().kill());
    }
  }

  @Override
  public Optional<Progress> progress(String job) {
    Seat shared = seat;
    return shared == null
        ? Optional.empty()
        : shared.words().stream()
            .filter(word -> names.of(word.job()).filter(job::equals).isPresent())
            .findFirst()
            .map(Seat.Word::progress);
  }

  @Override
  public Optional<Progress> preparation() {
    String now = preparing;
    if (now.isEmpty()) {
      return Optional.empty();
    }
    String line = now + lastLine();
    return Optional.of(
        new Progress(null, line.length() <= MOST_CHARS ? line : line.substring(0, MOST_CHARS)));
  }

  @Override
  public long beats(long id) {
    Seat shared = seat;
    return shared == null ? 0 : shared.beats(id);
  }

  @Override
  public boolean mayHandOver(String path) {
    try {
      Path file = Path.of(path);
      return common.sandbox().blobs().equals(file.getParent())
          && file.getFileName().toString().startsWith(ownFolder() + "-")
          && isOwnBlob(file);
    } catch (InvalidPathException e) {
      return false;
    }
  }

  private boolean isOwnBlob(Path file) {
    return Files.isDirectory(common.sandbox().blobs(), NOFOLLOW_LINKS) && isFile(file);
  }

  /**
   * What a process may have put there need be no file: a link leads to what is not its own, and a
   * pipe keeps who opens it waiting.
   */
  private static boolean isFile(Path file) {
    return Files.isRegularFile(file, NOFOLLOW_LINKS);
  }

  @Override
  public void readParts(long id, long place, Consumer<Parts> answer) {
    Path file = common.sandbox().blobs().resolve(ownFolder() + "-parts-" + id);
    common.chores().execute(() -> readParts(id, file, place, PARTS_LOOKS, answer));
  }

  private void readParts(long id, Path file, long place, int looks, Consumer<Parts> answer) {
    Parts found = wholeLines(file, place);
    if (found.lines().length > 0 || looks == 0 || over || names.isAnswered(id)) {
      answer.accept(found);
    } else {
      later(() -> readParts(id, file, place, looks - 1, answer), PARTS_LOOK_MILLIS);
    }
  }

  /** As many whole lines as fit a message. */
  private Parts wholeLines(Path file, long place) {
    if (!isOwnBlob(file)) {
      return Parts.noneSince(place);
    }
    try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ, NOFOLLOW_LINKS)) {
      long there = Math.max(0, in.size() - place);
      ByteBuffer lines = ByteBuffer.allocate((int) Math.min(PARTS_BYTES, there));
      int read = 0;
      while (read >= 0 && lines.hasRemaining()) {
        read = in.read(lines, place + lines.position());
      }
      int end = lines.position();
      while (end > 0 && lines.get(end - 1) != '\n') {
        end--;
      }
      return new Parts(place + end, Arrays.copyOf(lines.array(), end));
    } catch (IOException e) {
      return Parts.noneSince(place); // it has not begun, or has ended
    }
  }

  @Override
  public List<String> lastOutput() {
    return tail.lines();
  }

  @Override
  public Optional<ProcessStatus> sample() {
    Process started = process;
    if (started == null || over) {
      return Optional.empty();
    }
    long startedAt = started.info().startInstant().map(java.time.Instant::toEpochMilli).orElse(0L);
    synchronized (this) {
      long now = System.nanoTime();
      return ProcessTable.usage(pid)
          .map(
              usage -> {
                double seconds = Math.max(1e-3, (now - sampledNanos) / 1e9);
                double percent = Math.max(0, 100 * (usage.cpuSeconds() - cpuSeconds) / seconds);
                sampledNanos = now;
                cpuSeconds = usage.cpuSeconds();
                return new ProcessStatus(
                    pid, usage.rss(), Math.round(percent * 10) / 10.0, startedAt, spec.command());
              });
    }
  }

  /** What comes over the channel, by the selector thread. */
  private final class FromProcess implements ChannelListener {
    @Override
    public void connected(Channel connected, Hello hello) {
      synchronized (LocalServer.this) {
        if (hello.pid() > 0 && !isContained()) {
          pid = hello.pid(); // the command may have been a shell script that started it
          forked = spec.serving().preload() ? pid : 0;
          cpuSeconds = 0;
        }
      }
      if (isContained()) {
        common.chores().execute(() -> find(hello.pid()));
      }
      if (hello.concurrency() != width) {
        events.accept(
            new ServerEvent.HungUp(
                "it runs jobs "
                    + hello.concurrency()
                    + " at once, but the pool says concurrency = "
                    + width));
        return;
      }
      channel = connected;
      events.accept(new ServerEvent.Answered());
    }

    @Override
    public void received(List<Frame> frames) {
      LocalServer.this.received(frames);
    }

    @Override
    public void ended(String why) {
      events.accept(new ServerEvent.HungUp(why));
      hungUp.countDown();
    }
  }

  /**
   * commons-exec, with the pid, an open stdin, and pumps that end although a grandchild does not.
   */
  private final class Execution extends DefaultExecutor {
    @SuppressWarnings({"deprecation", "this-escape"}) // only a subclass can see the process
    Execution(OutputStream out, OutputStream err) {
      setExitValues(null);
      PumpStreamHandler pumps =
          new PumpStreamHandler(out, err) {
            @Override
            protected Thread createPump(
                InputStream from, OutputStream to, boolean closeWhenExhausted) {
              Thread pump =
                  new Thread(
                      new StreamPumper(from, to, closeWhenExhausted, PUMP_BYTES), "troupe-pump");
              pump.setDaemon(true);
              return pump;
            }

            @Override
            public void setProcessInputStream(OutputStream stdin) {
              // left open: its end tells the process that the executor is gone
            }

            @Override
            public void stop() throws IOException {
              tree().sweep();
              super.stop();
            }
          };
      pumps.setStopTimeout(java.time.Duration.ofMillis(PUMP_STOP_MILLIS));
      setStreamHandler(pumps);
    }

    @Override
    protected Process launch(
        CommandLine command, Map<String, String> environment, java.nio.file.Path directory)
        throws IOException {
      Process started =
          super.launch(
              command,
              environment,
              isContained() ? common.sandbox().root() : common.sandbox().files());
      launched(started);
      return started;
    }
  }
}
