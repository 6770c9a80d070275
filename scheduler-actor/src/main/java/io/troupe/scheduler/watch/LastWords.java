package io.troupe.scheduler.watch;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.model.Cause;
import io.troupe.protocol.SupervisorToScheduler.Register;
import io.troupe.protocol.WorkerStatus;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What workers printed last, for when they, their sandboxes and their agents are gone. Of the
 * workers that nothing has been heard of for longest, what is too much is forgotten. Not
 * thread-safe.
 */
final class LastWords {
  private static final int KEPT = 1000;

  private record Entry(Register where, WorkerStatus worker, List<String> lines, long seenAt) {}

  private final Map<String, Entry> entries =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Entry> eldest) {
          return size() > KEPT;
        }
      };

  /** The supervisor has told of these workers. */
  void saw(Register where, List<WorkerStatus> workers, long now) {
    for (WorkerStatus worker : workers) {
      Entry before = entries.get(worker.id());
      List<String> lines = lines(worker);
      entries.put(
          worker.id(),
          new Entry(
              where, worker, lines.isEmpty() && before != null ? before.lines() : lines, now));
    }
  }

  private static List<String> lines(WorkerStatus worker) {
    Cause cause = worker.cause();
    return worker.lastOutput().isEmpty() && cause != null
        ? cause.lastOutput()
        : worker.lastOutput();
  }

  /** The worker as it was seen last, with where and when, and its last lines. */
  Optional<ObjectNode> of(String worker) {
    return Optional.ofNullable(entries.get(worker)).map(LastWords::json);
  }

  private static ObjectNode json(Entry entry) {
    ObjectNode node = TreeJson.worker(entry.worker());
    node.put("pool", entry.where().pool());
    node.put("agentId", entry.where().agentId());
    node.put("host", entry.where().host());
    node.put("seenAt", TreeJson.time(entry.seenAt()));
    ArrayNode lines = node.putArray("lastOutput");
    entry.lines().forEach(lines::add);
    return node;
  }
}
