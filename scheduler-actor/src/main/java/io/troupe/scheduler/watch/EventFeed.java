package io.troupe.scheduler.watch;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.stream.BoundedSourceQueue;
import akka.stream.QueueOfferResult;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.model.Cause;
import io.troupe.scheduler.jobs.JobFact;
import io.troupe.scheduler.jobs.JobQueues;
import io.troupe.scheduler.pool.PoolFact;
import io.troupe.scheduler.pool.SchedulerActor;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Tells followers what happens to pools, workers and jobs, as it happens. The queues tell their
 * jobs only while somebody follows. A follower that is too slow loses events, and is told how many.
 */
public final class EventFeed {

  /** What it can be told. */
  public sealed interface Command {}

  /** Feeds the queue from now on. */
  public record Follow(BoundedSourceQueue<Event> follower) implements Command {}

  /** Feeds the queue no more: nobody reads it. */
  public record Unfollow(BoundedSourceQueue<Event> follower) implements Command {}

  private record Heard(PoolFact fact) implements Command {}

  private record HeardJobs(List<JobFact> facts) implements Command {}

  /**
   * One event.
   *
   * @param type job, worker, pool, framework, agent, executor, or gap
   */
  public record Event(String type, String json) {}

  /** Without followers. */
  public static Behavior<Command> create(
      ActorRef<SchedulerActor.Command> scheduler, ActorRef<JobQueues.Command> queues) {
    return Behaviors.setup(
        context -> {
          scheduler.tell(
              new SchedulerActor.Subscribe(context.messageAdapter(PoolFact.class, Heard::new)));
          return new EventFeed(queues, context).running();
        });
  }

  private final ActorRef<JobQueues.Command> queues;
  private final ActorRef<List<JobFact>> jobs;
  private final Set<BoundedSourceQueue<Event>> followers = new HashSet<>();
  private final Map<BoundedSourceQueue<Event>, Long> lost = new HashMap<>();

  private EventFeed(ActorRef<JobQueues.Command> queues, ActorContext<Command> context) {
    this.queues = queues;
    this.jobs =
        context.spawn(
            Behaviors.receiveMessage(
                facts -> {
                  context.getSelf().tell(new HeardJobs(facts));
                  return Behaviors.same();
                }),
            "jobs");
  }

  private Behavior<Command> running() {
    return Behaviors.receive(Command.class)
        .onMessage(Follow.class, this::onFollow)
        .onMessage(Heard.class, heard -> onHeard(heard.fact()))
        .onMessage(HeardJobs.class, heard -> onHeardJobs(heard.facts()))
        .onMessage(Unfollow.class, this::onUnfollow)
        .build();
  }

  private Behavior<Command> onFollow(Follow follow) {
    if (followers.isEmpty()) {
      queues.tell(new JobQueues.WatchJobs(jobs));
    }
    followers.add(follow.follower());
    return Behaviors.same();
  }

  private Behavior<Command> onUnfollow(Unfollow unfollow) {
    lost.remove(unfollow.follower());
    if (followers.remove(unfollow.follower()) && followers.isEmpty()) {
      queues.tell(new JobQueues.StopWatching());
    }
    return Behaviors.same();
  }

  private Behavior<Command> onHeardJobs(List<JobFact> facts) {
    for (JobFact fact : facts) {
      tell(new Event("job", TreeJson.text(TreeJson.job(fact.job()))));
    }
    return Behaviors.same();
  }

  private Behavior<Command> onHeard(PoolFact fact) {
    if (!followers.isEmpty()) {
      event(fact).ifPresent(this::tell);
    }
    return Behaviors.same();
  }

  private void tell(Event event) {
    for (BoundedSourceQueue<Event> follower : followers) {
      Long missed = lost.get(follower);
      if (missed == null) {
        offer(follower, event);
      } else if (follower.offer(gap(missed)).isEnqueued()) {
        lost.remove(follower);
        offer(follower, event);
      } else {
        lost.put(follower, missed + 1);
      }
    }
  }

  private void offer(BoundedSourceQueue<Event> follower, Event event) {
    if (follower.offer(event) instanceof QueueOfferResult.Dropped$) {
      lost.merge(follower, 1L, Long::sum);
    }
  }

  private static Event gap(long missed) {
    return new Event(
        "gap", TreeJson.text(JsonNodeFactory.instance.objectNode().put("lost", missed)));
  }

  private static Optional<Event> event(PoolFact fact) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    if (fact instanceof PoolFact.FrameworkChanged changed) {
      node.put("id", changed.id().orElse(null));
      node.put("master", changed.master());
      return event("framework", changed.state().name(), node);
    }
    if (fact instanceof PoolFact.PoolApplied applied) {
      node.put("pool", applied.spec().name());
      node.set("size", TreeJson.size(applied.spec().size()));
      return event("pool", "APPLIED", node);
    }
    if (fact instanceof PoolFact.PoolMeasured measured) {
      node.put("pool", measured.pool());
      node.put("wanted", measured.wanted());
      node.put("running", measured.running());
      return event("pool", "MEASURED", node);
    }
    if (fact instanceof PoolFact.PoolDraining draining) {
      return event("pool", "DRAINING", node.put("pool", draining.pool()));
    }
    if (fact instanceof PoolFact.PoolDeleted deleted) {
      return event("pool", "DELETED", node.put("pool", deleted.pool()));
    }
    if (fact instanceof PoolFact.WorkerLaunched worker) {
      worker(node, worker.pool(), worker.worker(), worker.agentId(), worker.executorId());
      return event("worker", "LAUNCHED", node);
    }
    if (fact instanceof PoolFact.WorkerRunning worker) {
      worker(node, worker.pool(), worker.worker(), worker.agentId(), worker.executorId());
      return event("worker", "RUNNING", node);
    }
    if (fact instanceof PoolFact.WorkerEnded worker) {
      worker(node, worker.pool(), worker.worker(), worker.agentId(), worker.executorId());
      return ended("worker", "ENDED", node, worker.cause());
    }
    if (fact instanceof PoolFact.ExecutorLost lost) {
      node.put("pool", lost.pool());
      node.put("agentId", lost.agentId());
      node.put("executorId", lost.executorId());
      return ended("executor", "LOST", node, lost.cause());
    }
    if (fact instanceof PoolFact.AgentFound found) {
      node.put("agentId", found.agentId());
      node.put("hostname", found.hostname());
      return event("agent", "FOUND", node);
    }
    if (fact instanceof PoolFact.AgentLost lost) {
      return ended("agent", "LOST", node.put("agentId", lost.agentId()), lost.cause());
    }
    return Optional.empty();
  }

  private static void worker(
      ObjectNode node, String pool, String worker, String agentId, String executorId) {
    node.put("pool", pool);
    node.put("worker", worker);
    node.put("agentId", agentId);
    node.put("executorId", executorId);
  }

  private static Optional<Event> ended(String type, String what, ObjectNode node, Cause cause) {
    node.set("cause", TreeJson.cause(cause));
    return event(type, what, node);
  }

  private static Optional<Event> event(String type, String what, ObjectNode node) {
    node.put("event", what);
    return Optional.of(new Event(type, TreeJson.text(node)));
  }
}
