package io.troupe.scheduler.jobs;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The jobs that wait, in the order in which they go: the highest priority first; within it the
 * submitters in turn, each as often as its weight says (start-time fair queueing, Goyal et al.
 * 1996, with jobs of equal cost); and of one submitter the jobs in the order in which they came. No
 * operation depends on how many jobs there are.
 */
final class ReadyJobs {

  private static final class Level {
    final Map<String, Lane> lanes = new HashMap<>();

    /** Those with a job at hand. */
    final TreeSet<Lane> turns =
        new TreeSet<>(
            Comparator.comparingDouble((Lane lane) -> lane.pass)
                .thenComparingLong(lane -> lane.number));

    /** The pass of whoever was last; who comes new starts here, without a claim on the past. */
    double now;
  }

  private final TreeMap<Integer, Level> levels = new TreeMap<>(Comparator.reverseOrder());
  private Map<String, Integer> weights = Map.of();
  private int size;
  private long spilled;
  private long lanes;

  /** Gives submitters shares; one that is not named has the weight 1. */
  void weigh(Map<String, Integer> newWeights) {
    weights = Map.copyOf(newWeights);
  }

  /** How many jobs are at hand. */
  int size() {
    return size;
  }

  /** How many more there are in the store. */
  long spilled() {
    return spilled;
  }

  /** Whether none is at hand. */
  boolean isEmpty() {
    return size == 0;
  }

  /** The lane of these jobs, made if need be. */
  Lane lane(int priority, String submitter) {
    Level level = levels.computeIfAbsent(priority, any -> new Level());
    return level.lanes.computeIfAbsent(
        submitter, any -> new Lane(priority, submitter, lanes++, level.now));
  }

  /** Puts a job behind all others of its lane that are at hand. */
  void add(Job job) {
    Lane lane = lane(job.terms.priority(), job.terms.submitter());
    boolean idle = lane.isEmpty();
    lane.add(job);
    added(lane, idle);
  }

  /** Puts a job that had been taken before those that had not. */
  void putBack(Job job) {
    Lane lane = lane(job.terms.priority(), job.terms.submitter());
    boolean idle = lane.isEmpty();
    lane.putBack(job);
    added(lane, idle);
  }

  private void added(Lane lane, boolean wasIdle) {
    size++;
    if (wasIdle) {
      Level level = level(lane);
      lane.pass = Math.max(lane.pass, level.now);
      level.turns.add(lane);
    }
  }

  /** Takes the job whose turn it is; null when there is none at hand. */
  @Nullable Job poll() {
    for (Level level : levels.values()) {
      if (!level.turns.isEmpty()) {
        return poll(level);
      }
    }
    return null;
  }

  private Job poll(Level level) {
    Lane lane = level.turns.first();
    Job job = lane.poll();
    size--;
    level.now = lane.pass;
    boolean alone = level.turns.size() == 1;
    if (!alone || lane.isEmpty()) {
      level.turns.remove(lane);
    }
    lane.pass += 1.0 / weights.getOrDefault(lane.submitter, 1);
    if (!lane.isEmpty()) {
      if (!alone) {
        level.turns.add(lane);
      }
    } else {
      dropIfDone(level, lane);
    }
    return job;
  }

  /** Takes this job out of turn; it must be here. */
  void remove(Job job) {
    Lane lane = lane(job.terms.priority(), job.terms.submitter());
    if (!lane.remove(job)) {
      throw new IllegalStateException("Job " + job.id + " is not among the ready ones");
    }
    size--;
    Level level = level(lane);
    if (lane.isEmpty()) {
      level.turns.remove(lane);
      dropIfDone(level, lane);
    }
  }

  /** Takes note that so many jobs of this lane are in the store only; negative for fewer. */
  void spill(Lane lane, long more) {
    lane.spilled += more;
    spilled += more;
    if (lane.isEmpty()) {
      dropIfDone(level(lane), lane);
    }
  }

  /**
   * Lanes of which more should be read: those with less at hand than this, and more in the store.
   */
  List<Lane> toRead(int low) {
    if (spilled == 0) {
      return List.of();
    }
    List<Lane> wanting = new ArrayList<>();
    for (Level level : levels.values()) {
      for (Lane lane : level.lanes.values()) {
        // What is on its way to the store cannot be read yet.
        if (lane.spilled > lane.unwritten && !lane.reading && lane.size() < low) {
          wanting.add(lane);
        }
      }
    }
    return wanting;
  }

  private Level level(Lane lane) {
    Level level = levels.get(lane.priority);
    if (level == null) {
      throw new IllegalStateException("No lane of priority " + lane.priority);
    }
    return level;
  }

  private void dropIfDone(Level level, Lane lane) {
    if (lane.spilled <= 0 && !lane.reading) {
      level.lanes.remove(lane.submitter);
      if (level.lanes.isEmpty()) {
        levels.remove(lane.priority);
      }
    }
  }
}
