package io.troupe.scheduler.watch;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.TimerScheduler;
import akka.cluster.ClusterEvent;
import akka.cluster.Member;
import akka.cluster.MemberStatus;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Subscribe;
import akka.stream.BoundedSourceQueue;
import akka.stream.QueueOfferResult;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.protocol.ClusterConfig;
import io.troupe.protocol.WorkerStatus;
import io.troupe.scheduler.jobs.QueueCounts;
import io.troupe.scheduler.jobs.QueueDirectory;
import io.troupe.scheduler.jobs.QueueEntry;
import io.troupe.scheduler.jobs.SupervisorFact;
import io.troupe.scheduler.pool.PoolFact;
import io.troupe.scheduler.pool.SchedulerActor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Keeps the tree that people watch: nodes, supervisors, workers, processes, from the facts that
 * these tell and from what the cluster knows of its members. Changes are gathered for a moment and
 * told to all followers as one numbered delta.
 */
public final class TreeKeeper {

  /** What it can be told. */
  public sealed interface Command {}

  /** A fact about a supervisor. */
  public record Saw(SupervisorFact fact) implements Command {}

  /** Asks for the whole tree. */
  public record GetTree(ActorRef<TreeEvent> replyTo) implements Command {}

  /** Asks for all workers. */
  public record ListWorkers(ActorRef<List<WorkerRow>> replyTo) implements Command {}

  /** Asks how far a job is; empty when nobody has told. */
  public record GetProgress(String job, ActorRef<Optional<WorkerStatus.Progress>> replyTo)
      implements Command {}

  /** Asks for a worker that is or was, as JSON; empty when it is not known. */
  public record GetLastWords(String worker, ActorRef<Optional<String>> replyTo)
      implements Command {}

  /** Asks which framework this node is to Mesos. */
  public record GetFramework(ActorRef<PoolFact.FrameworkChanged> replyTo) implements Command {}

  /** Feeds the queue until it is closed; one that is full gets a snapshot when it is not. */
  public record Follow(BoundedSourceQueue<TreeEvent> follower) implements Command {}

  /** This actor is part of the node too, and is shown. */
  public record Show(ActorRef<?> actor, String kind) implements Command {}

  private record Heard(PoolFact fact) implements Command {}

  private record MemberChanged(Member member, String status) implements Command {}

  private record MemberRemoved(Member member) implements Command {}

  private enum Other implements Command {
    EVENT
  }

  private enum Publish implements Command {
    NOW
  }

  private enum Refresh implements Command {
    NOW
  }

  /** A worker and where it is. */
  public record WorkerRow(
      String pool, String agentId, String executorId, String host, WorkerStatus worker) {}

  private static final Duration PUBLISH_AFTER = Duration.ofMillis(100);
  private static final Duration REFRESH_EVERY = Duration.ofSeconds(1);

  /** Follows the scheduler's facts, the queues' numbers and the cluster this node is in. */
  public static Behavior<Command> create(
      ActorRef<SchedulerActor.Command> scheduler, QueueDirectory queues) {
    return Behaviors.setup(
        context ->
            Behaviors.withTimers(
                timers -> {
                  Cluster cluster = Cluster.get(context.getSystem());
                  String address = cluster.selfMember().address().toString();
                  scheduler.tell(
                      new SchedulerActor.Subscribe(
                          context.messageAdapter(PoolFact.class, Heard::new)));
                  cluster
                      .subscriptions()
                      .tell(
                          Subscribe.create(
                              context.messageAdapter(
                                  ClusterEvent.ClusterDomainEvent.class, TreeKeeper::command),
                              ClusterEvent.ClusterDomainEvent.class));
                  return new TreeKeeper(address, scheduler, queues, context, timers).running();
                }));
  }

  private static Command command(ClusterEvent.ClusterDomainEvent event) {
    if (event instanceof ClusterEvent.MemberRemoved removed) {
      return new MemberRemoved(removed.member());
    }
    if (event instanceof ClusterEvent.MemberEvent changed) {
      return new MemberChanged(changed.member(), changed.member().status().toString());
    }
    if (event instanceof ClusterEvent.UnreachableMember unreachable) {
      return new MemberChanged(unreachable.member(), "Unreachable");
    }
    if (event instanceof ClusterEvent.ReachableMember reachable) {
      return new MemberChanged(reachable.member(), reachable.member().status().toString());
    }
    return Other.EVENT;
  }

  private record PoolNumbers(int wanted, int running, Map<String, Integer> causes) {}

  private final String self;
  private final ActorRef<SchedulerActor.Command> scheduler;
  private final QueueDirectory queues;
  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final Tree tree = new Tree(ClusterConfig.SYSTEM);
  private final LastWords lastWords = new LastWords();
  private final Map<String, PoolNumbers> pools = new HashMap<>();
  private final Set<BoundedSourceQueue<TreeEvent>> followers = new HashSet<>();
  private final Set<BoundedSourceQueue<TreeEvent>> behind = new HashSet<>();
  private final List<Show> shown = new ArrayList<>();
  private PoolFact.FrameworkChanged framework =
      new PoolFact.FrameworkChanged(Optional.empty(), "", PoolFact.FrameworkState.DISCONNECTED);

  private TreeKeeper(
      String self,
      ActorRef<SchedulerActor.Command> scheduler,
      QueueDirectory queues,
      ActorContext<Command> context,
      TimerScheduler<Command> timers) {
    this.self = self;
    this.scheduler = scheduler;
    this.queues = queues;
    this.context = context;
    this.timers = timers;
    timers.startTimerWithFixedDelay(Refresh.NOW, REFRESH_EVERY);
    tree.scheduler(self, schedulerPart());
  }

  private Behavior<Command> running() {
    return Behaviors.receive(Command.class)
        .onMessage(Saw.class, saw -> onSaw(saw.fact()))
        .onMessage(Heard.class, heard -> onHeard(heard.fact()))
        .onMessage(MemberChanged.class, this::onMemberChanged)
        .onMessage(MemberRemoved.class, this::onMemberRemoved)
        .onMessageEquals(Other.EVENT, Behaviors::same)
        .onMessage(GetTree.class, this::onGetTree)
        .onMessage(GetFramework.class, this::onGetFramework)
        .onMessage(ListWorkers.class, this::onListWorkers)
        .onMessage(GetProgress.class, this::onGetProgress)
        .onMessage(GetLastWords.class, this::onGetLastWords)
        .onMessage(Follow.class, this::onFollow)
        .onMessage(Show.class, this::onShow)
        .onMessageEquals(Refresh.NOW, this::onTime)
        .onMessageEquals(Publish.NOW, this::onPublish)
        .build();
  }

  private Behavior<Command> onSaw(SupervisorFact fact) {
    if (fact instanceof SupervisorFact.Joined joined) {
      tree.joined(joined.registration());
      lastWords.saw(joined.registration(), joined.registration().workers(), wallClock());
    } else if (fact instanceof SupervisorFact.Reported reported) {
      tree.reported(reported.report().supervisor(), reported.report().workers());
      tree.supervisor(reported.report().supervisor())
          .ifPresent(
              known ->
                  lastWords.saw(known.registration(), reported.report().workers(), wallClock()));
    } else if (fact instanceof SupervisorFact.Left left) {
      tree.left(left.supervisor());
    }
    return publishSoon();
  }

  private Behavior<Command> onHeard(PoolFact fact) {
    if (fact instanceof PoolFact.FrameworkChanged changed) {
      framework = changed;
    } else if (fact instanceof PoolFact.PoolMeasured measured) {
      pools.put(
          measured.pool(),
          new PoolNumbers(measured.wanted(), measured.running(), measured.causes()));
    } else if (fact instanceof PoolFact.PoolDeleted deleted) {
      pools.remove(deleted.pool());
    } else if (fact instanceof PoolFact.ExecutorLost lost) {
      tree.left(lost.supervisor());
    } else if (fact instanceof PoolFact.AgentLost lost) {
      tree.agentLost(lost.agentId());
    }
    return onRefresh();
  }

  private Behavior<Command> onMemberChanged(MemberChanged changed) {
    Member member = changed.member();
    if (member.status() != MemberStatus.removed()) {
      tree.member(
          new Tree.Member(
              member.address().toString(),
              member.hasRole(ClusterConfig.SCHEDULER_ROLE)
                  ? ClusterConfig.SCHEDULER_ROLE
                  : ClusterConfig.SUPERVISOR_ROLE,
              changed.status(),
              member.address().getHost().orElse("")));
    }
    return publishSoon();
  }

  private Behavior<Command> onMemberRemoved(MemberRemoved removed) {
    tree.memberRemoved(removed.member().address().toString());
    return publishSoon();
  }

  private Behavior<Command> onGetTree(GetTree get) {
    get.replyTo().tell(snapshot());
    return Behaviors.same();
  }

  private Behavior<Command> onGetFramework(GetFramework get) {
    get.replyTo().tell(framework);
    return Behaviors.same();
  }

  private Behavior<Command> onListWorkers(ListWorkers list) {
    List<WorkerRow> rows = new ArrayList<>();
    for (Tree.Supervisor supervisor : tree.supervisors()) {
      var at = supervisor.registration();
      supervisor
          .workers()
          .forEach(
              worker ->
                  rows.add(
                      new WorkerRow(at.pool(), at.agentId(), at.executorId(), at.host(), worker)));
    }
    list.replyTo().tell(rows);
    return Behaviors.same();
  }

  private Behavior<Command> onGetProgress(GetProgress get) {
    get.replyTo().tell(tree.progress(get.job()));
    return Behaviors.same();
  }

  private Behavior<Command> onGetLastWords(GetLastWords get) {
    get.replyTo().tell(lastWords.of(get.worker()).map(TreeJson::text));
    return Behaviors.same();
  }

  private static long wallClock() {
    return System.currentTimeMillis();
  }

  private Behavior<Command> onFollow(Follow follow) {
    // What is not told yet must not come twice: as part of the snapshot and as a delta after it.
    if (tree.hasChanged()) {
      onPublish();
    }
    followers.add(follow.follower());
    offer(follow.follower(), snapshot());
    return Behaviors.same();
  }

  private Behavior<Command> onShow(Show show) {
    shown.add(show);
    return onRefresh();
  }

  private Behavior<Command> onTime() {
    onRefresh();
    return followers.isEmpty() ? onPublish() : Behaviors.same();
  }

  private Behavior<Command> onRefresh() {
    tree.scheduler(self, schedulerPart());
    return publishSoon();
  }

  /** Where nobody follows there is no hurry: what has changed is told to nobody, once a second. */
  private Behavior<Command> publishSoon() {
    if (!followers.isEmpty() && tree.hasChanged() && !timers.isTimerActive(Publish.NOW)) {
      timers.startSingleTimer(Publish.NOW, PUBLISH_AFTER);
    }
    return Behaviors.same();
  }

  private Behavior<Command> onPublish() {
    if (!tree.hasChanged()) {
      return Behaviors.same();
    }
    ObjectNode changes = tree.delta();
    if (followers.isEmpty()) {
      return Behaviors.same();
    }
    TreeEvent delta = new TreeEvent(false, tree.seq(), TreeJson.text(changes));
    for (var follower : List.copyOf(followers)) {
      offer(follower, behind.remove(follower) ? snapshot() : delta);
    }
    return Behaviors.same();
  }

  private void offer(BoundedSourceQueue<TreeEvent> follower, TreeEvent event) {
    QueueOfferResult result = follower.offer(event);
    if (result instanceof QueueOfferResult.Dropped$) {
      behind.add(follower);
    } else if (!result.isEnqueued()) {
      followers.remove(follower);
      behind.remove(follower);
    }
  }

  private TreeEvent snapshot() {
    return new TreeEvent(true, tree.seq(), TreeJson.text(tree.snapshot()));
  }

  private Tree.SchedulerPart schedulerPart() {
    ObjectNode mesos = JsonNodeFactory.instance.objectNode();
    mesos.put("id", framework.id().orElse(null));
    mesos.put("master", framework.master());
    mesos.put("state", framework.state().name());
    ArrayNode all = JsonNodeFactory.instance.arrayNode();
    ArrayNode actors = JsonNodeFactory.instance.arrayNode();
    actor(actors, scheduler, "SchedulerActor");
    shown.forEach(each -> actor(actors, each.actor(), each.kind()));
    actor(actors, context.getSelf(), "TreeKeeper");
    for (QueueEntry entry : queues.all()) {
      actor(actors, entry.queue(), "JobQueue");
      all.add(pool(entry));
    }
    return new Tree.SchedulerPart(mesos, all, actors);
  }

  private static void actor(ArrayNode actors, ActorRef<?> ref, String kind) {
    actors.addObject().put("path", ref.path().toStringWithoutAddress()).put("kind", kind);
  }

  private ObjectNode pool(QueueEntry entry) {
    String name = entry.spec().name();
    PoolNumbers numbers = pools.getOrDefault(name, new PoolNumbers(0, 0, Map.of()));
    QueueCounts jobs = entry.counts();
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("name", name);
    node.set("size", TreeJson.size(entry.spec().size()));
    node.put("wanted", numbers.wanted());
    node.put("running", numbers.running());
    node.put("queued", jobs.queued());
    node.put("active", jobs.running());
    node.put("succeeded", jobs.succeeded());
    node.put("failed", jobs.failed());
    node.put("dead", jobs.dead());
    ObjectNode causes = node.putObject("causes");
    numbers.causes().forEach(causes::put);
    return node;
  }
}
