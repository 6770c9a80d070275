package io.troupe.local.agent;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executor;

/** Containers without processes: they start at once, and end when they are killed or told to. */
public final class FakeContainers implements Containers {

  private static final int SIGKILL = 9;

  /** One of them. */
  public final class Fake implements Container {
    private final Spec spec;
    private final Listener listener;
    private boolean over;
    private boolean terminated;

    private Fake(Spec spec, Listener listener) {
      this.spec = spec;
      this.listener = listener;
    }

    public Spec spec() {
      return spec;
    }

    /** Whether it was asked to end. */
    public boolean terminated() {
      return terminated;
    }

    public boolean over() {
      return over;
    }

    /** Its process ends by itself. */
    public void exit(int status) {
      if (!over) {
        over = true;
        agentThread.execute(() -> listener.exited(status));
      }
    }

    /** It turns out that it could not be started. */
    public void fail(String message, int status) {
      if (!over) {
        over = true;
        agentThread.execute(() -> listener.failed(message, status));
      }
    }

    @Override
    public void terminate() {
      terminated = true;
    }

    @Override
    public void kill() {
      exit(SIGKILL);
    }
  }

  private final Executor agentThread;
  private final Map<String, Fake> byExecutor = new LinkedHashMap<>();
  private long nextPid = 1000;

  public FakeContainers(Executor agentThread) {
    this.agentThread = agentThread;
  }

  @Override
  public Container launch(Spec spec, Listener listener) {
    Fake container = new Fake(spec, listener);
    byExecutor.put(spec.environment().get("MESOS_EXECUTOR_ID"), container);
    long pid = nextPid++;
    boolean unfetchable =
        spec.command().getUrisList().stream().anyMatch(uri -> uri.getValue().contains("no/such"));
    boolean unknownUser = spec.user().equals("nosuchuser");
    agentThread.execute(
        () -> {
          if (unfetchable) {
            container.fail(
                "Failed to fetch all URIs for container '" + spec.id() + "': exited with status 1",
                256);
          } else if (unknownUser) {
            container.fail(
                LinuxContainers.NO_SANDBOX
                    + spec.sandbox()
                    + "': Failed to chown directory to 'nosuchuser': No such user 'nosuchuser'",
                -1);
          } else if (!container.over()) {
            listener.started(pid);
          }
        });
    return container;
  }

  /** The container that was made last for the executor. */
  public Fake of(String executorId) {
    Fake container = byExecutor.get(executorId);
    if (container == null) {
      throw new AssertionError("No container was made for executor " + executorId);
    }
    return container;
  }

  public boolean has(String executorId) {
    return byExecutor.containsKey(executorId);
  }
}
