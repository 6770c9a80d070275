package io.troupe.executor.supervision;

import io.troupe.model.Cause;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Jobs that were told to end, why, and how long they may take to do so before their process goes
 * down. Times are nanoseconds of one monotonic clock. Not thread-safe.
 */
final class Endings {

  /** Why this side has a process killed, and whether that counts as a crash of it. */
  record Doom(Cause.Kind kind, String message, boolean counts) {}

  private record Ending(Doom why, long until) {}

  private final Map<Long, Ending> jobs = new LinkedHashMap<>();

  void add(long job, Doom why, long now, Duration patience) {
    jobs.put(job, new Ending(why, now + patience.toNanos()));
  }

  /** Forgets those that have ended. */
  void keepRunning(JobPipe pipe) {
    if (!jobs.isEmpty()) {
      jobs.keySet().removeIf(job -> !pipe.runs(job));
    }
  }

  /** Why the process has to go now: because of the first job whose time to end is over. */
  Optional<Doom> overdue(long now) {
    return jobs.values().stream()
        .filter(ending -> ending.until() <= now)
        .findFirst()
        .map(Ending::why);
  }

  /** When the next one's time to end is over. */
  OptionalLong next() {
    return jobs.values().stream().mapToLong(Ending::until).min();
  }

  void clear() {
    jobs.clear();
  }
}
