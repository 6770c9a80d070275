package io.troupe.executor;

import akka.actor.typed.ActorRef;
import io.troupe.executor.mesos.AgentListener;
import io.troupe.executor.supervision.Executor;
import io.troupe.executor.supervision.Supervisor;
import io.troupe.protocol.codec.TaskDataCodec;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/** Turns what the agent says into commands of the supervisor, and keeps them until there is one. */
final class AgentEvents implements AgentListener {
  private final Duration shutdownGrace;
  private final List<Supervisor.Command> early = new ArrayList<>();
  private @Nullable ActorRef<Supervisor.Command> supervisor;
  private volatile BiConsumer<String, String> refuse = (task, why) -> {};

  AgentEvents(Duration shutdownGrace) {
    this.shutdownGrace = shutdownGrace;
  }

  /**
   * From now on commands go to the supervisor.
   *
   * @param refuse told of tasks that cannot be run: id and reason
   */
  synchronized void attach(ActorRef<Supervisor.Command> target, BiConsumer<String, String> refuse) {
    this.refuse = refuse;
    supervisor = target;
    early.forEach(target::tell);
    early.clear();
  }

  private synchronized void tell(Supervisor.Command command) {
    if (supervisor == null) {
      early.add(command);
    } else {
      supervisor.tell(command);
    }
  }

  @Override
  public void subscribed(Executor executor) {
    tell(new Supervisor.Subscribed(executor));
  }

  @Override
  public void launch(String task, byte[] data) {
    try {
      tell(new Supervisor.Launch(task, TaskDataCodec.readTaskData(data)));
    } catch (TaskDataCodec.UnreadableException e) {
      refuse.accept(task, e.getMessage());
    }
  }

  @Override
  public void kill(String task, Optional<Duration> grace) {
    tell(new Supervisor.Kill(task, grace));
  }

  @Override
  public void message(byte[] data) {
    try {
      tell(new Supervisor.ClusterCalls(TaskDataCodec.readClusterInfo(data)));
    } catch (TaskDataCodec.UnreadableException e) {
      LoggerFactory.getLogger(AgentEvents.class).warn("A message is ignored: {}", e.getMessage());
    }
  }

  @Override
  public void shutdown(String why) {
    tell(new Supervisor.ShutDown(why, shutdownGrace));
  }
}
