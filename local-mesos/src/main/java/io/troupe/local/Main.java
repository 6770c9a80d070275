package io.troupe.local;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.local.LocalCluster.StartException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;

/**
 * An embedded Mesos master with agents, in the foreground. Prints {@code ready URL} when it
 * listens; SIGTERM ends it and everything that runs on it.
 */
@Command(
    name = "local-mesos",
    description = "A Mesos-compatible master and agents in one process.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class Main implements Callable<Integer> {

  private static final String DEFAULT = " (default: ${DEFAULT-VALUE})";

  @Option(names = "--ip", defaultValue = "127.0.0.1", description = "Where to listen" + DEFAULT)
  private String ip = "";

  @Option(
      names = "--hostname",
      defaultValue = "localhost",
      description = "The name that frameworks are told" + DEFAULT)
  private String hostname = "";

  @Option(
      names = "--port",
      defaultValue = "5050",
      description = "The master's port; 0: any" + DEFAULT)
  private int port;

  @Option(
      names = "--agent-port",
      defaultValue = "5051",
      description = "The first agent's port, others follow; 0: any" + DEFAULT)
  private int agentPort;

  @Option(names = "--agents", defaultValue = "1", description = "How many agents" + DEFAULT)
  private int agents;

  @Option(
      names = "--cpus",
      description = "CPUs that each agent offers (default: those of the machine)")
  private double cpus = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--mem",
      defaultValue = "2048",
      description = "MiB of memory that each agent offers" + DEFAULT)
  private double mem;

  @Option(
      names = "--disk",
      defaultValue = "4096",
      description = "MiB of disk that each agent offers" + DEFAULT)
  private double disk;

  @Option(
      names = "--ports",
      defaultValue = "",
      description =
          "Ports that each agent offers, such as [31000-32000] (default: a hundred of its own, from"
              + " 31000 on)")
  private String ports = "";

  @Option(
      names = "--attributes",
      defaultValue = "",
      description = "Of each agent, such as rack:r1;zone:z0")
  private String attributes = "";

  @Option(
      names = "--work-dir",
      defaultValue = ".local-mesos",
      description = "For sandboxes and all else that is written" + DEFAULT)
  private Path workDir = Path.of("");

  @Option(
      names = "--agent-ping-timeout",
      defaultValue = "15secs",
      converter = MesosDurationConverter.class,
      description = "How long an agent may take to answer" + DEFAULT)
  private Duration agentPingTimeout = Duration.ZERO;

  @Option(
      names = "--max-agent-ping-timeouts",
      defaultValue = "5",
      description = "Unanswered pings until an agent is unreachable" + DEFAULT)
  private int maxAgentPingTimeouts;

  @Option(
      names = "--executor-registration-timeout",
      defaultValue = "1mins",
      converter = MesosDurationConverter.class,
      description = "How long an executor may take to subscribe" + DEFAULT)
  private Duration registrationTimeout = Duration.ZERO;

  @Option(
      names = "--executor-shutdown-grace-period",
      defaultValue = "5secs",
      converter = MesosDurationConverter.class,
      description = "How long an executor may take to end" + DEFAULT)
  private Duration shutdownGrace = Duration.ZERO;

  @Option(
      names = "--status-update-retry",
      defaultValue = "10secs",
      converter = MesosDurationConverter.class,
      description = "First pause before an update is sent again" + DEFAULT)
  private Duration retryFirst = Duration.ZERO;

  @Option(
      names = "--agent-restart-pause",
      defaultValue = "1secs",
      converter = MesosDurationConverter.class,
      description = "How long an agent that is restarted is away" + DEFAULT)
  private Duration restartPause = Duration.ZERO;

  @Option(
      names = {"--executor-environment", "--executor-environment-variables"},
      defaultValue = "{}",
      description = "JSON object of variables that every executor gets")
  private String executorEnvironment = "";

  @Option(
      names = "--no-switch-user",
      description = "Run commands as this user, whatever user the framework names")
  private boolean noSwitchUser;

  @Option(
      names = "--allow-remote",
      description =
          "Listen at an --ip that others reach, though anybody there can then run commands here")
  private boolean allowRemote;

  private final PrintStream out;
  private final PrintStream err;

  private Main(PrintStream out, PrintStream err) {
    this.out = out;
    this.err = err;
  }

  /** Runs until it is told to end; exits with 2 for wrong options, 1 when it cannot start. */
  public static void main(String[] arguments) {
    if (System.getProperty("logback.configurationFile") == null) {
      System.setProperty("logback.configurationFile", "io/troupe/local/logback.xml");
    }
    int code =
        new CommandLine(new Main(System.out, System.err))
            .setExecutionExceptionHandler(
                (failure, line, parsed) -> {
                  System.err.println("The embedded Mesos failed: " + failure);
                  return 1;
                })
            .execute(arguments);
    // Picocli returns here for --help, wrong options and after an orderly end.
    Runtime.getRuntime().halt(code);
  }

  @Override
  public Integer call() throws InterruptedException {
    LocalSettings settings;
    try {
      settings = settings();
    } catch (IllegalArgumentException e) {
      err.println(e.getMessage());
      return 2;
    }
    CountDownLatch end = new CountDownLatch(1);
    LocalCluster cluster;
    try {
      cluster = LocalCluster.start(settings, end::countDown);
    } catch (StartException e) {
      err.println(e.getMessage());
      return 1;
    }
    Runtime.getRuntime().addShutdownHook(new Thread(cluster::close, "shutdown"));
    out.println("ready " + cluster.url());
    out.flush();
    end.await();
    cluster.close();
    return 0;
  }

  private LocalSettings settings() {
    if (!allowRemote && !isLoopback(ip)) {
      throw new IllegalArgumentException(
          "--ip "
              + ip
              + " is not this machine's alone, and whoever reaches it can run commands here; use"
              + " 127.0.0.1, or add --allow-remote if that is meant");
    }
    return new LocalSettings(
        ip,
        hostname,
        port,
        agentPort,
        agents,
        cpus,
        mem,
        disk,
        ports,
        attributes,
        workDir,
        agentPingTimeout,
        maxAgentPingTimeouts,
        registrationTimeout,
        shutdownGrace,
        retryFirst,
        restartPause,
        variables(executorEnvironment),
        !noSwitchUser);
  }

  private static boolean isLoopback(String ip) {
    return ip.equals("localhost") || ip.equals("::1") || ip.matches("127(\\.\\d{1,3}){3}");
  }

  private static Map<String, String> variables(String json) {
    Map<String, String> variables = new LinkedHashMap<>();
    JsonNode object;
    try {
      object = new ObjectMapper().readTree(json);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(
          "--executor-environment is not JSON: " + e.getOriginalMessage(), e);
    }
    if (!object.isObject()) {
      throw new IllegalArgumentException(
          "--executor-environment must be a JSON object such as {\"PATH\": \"/usr/bin:/bin\"}");
    }
    object
        .fields()
        .forEachRemaining(field -> variables.put(field.getKey(), field.getValue().asText()));
    return variables;
  }

  /**
   * Reads durations as Mesos' flags have them: {@code 15secs}, {@code 1.5mins}; or plain {@code
   * 5s}.
   */
  static final class MesosDurationConverter implements ITypeConverter<Duration> {
    private static final Pattern DURATION =
        Pattern.compile("([0-9.]+) *(ns|us|ms|s|secs|mins|m|hrs|h|days|weeks)");

    @Override
    public Duration convert(String text) {
      Matcher matcher = DURATION.matcher(text.strip());
      if (!matcher.matches()) {
        throw new CommandLine.TypeConversionException(
            "'" + text + "' is not a duration such as 500ms, 15secs or 1mins");
      }
      double number = Double.parseDouble(matcher.group(1));
      double nanos =
          switch (matcher.group(2)) {
            case "ns" -> 1;
            case "us" -> 1e3;
            case "ms" -> 1e6;
            case "s", "secs" -> 1e9;
            case "mins", "m" -> 60e9;
            case "hrs", "h" -> 3600e9;
            case "days" -> 86_400e9;
            default -> 604_800e9;
          };
      return Duration.ofNanos((long) (number * nanos));
    }
  }
}
