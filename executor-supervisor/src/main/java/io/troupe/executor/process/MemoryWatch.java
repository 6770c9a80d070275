package io.troupe.executor.process;

import io.troupe.executor.supervision.ServerEvent;
import io.troupe.os.NewProcesses;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What a worker's process and all it has started take of memory, looked at again and again by one
 * thread: how much it was at most, and whether it is more than they may have. Memory that only
 * mirrors files does not count against the limit, as the kernel can have it back; what several
 * processes share counts once.
 */
final class MemoryWatch {
  /** Processes that have left their parents are looked for once in so many looks. */
  private static final int LOOKS_BETWEEN_SEARCHES = 8;

  private static final long NOTED_EVERY_NANOS = 2_000_000_000L;

  private final long limit;
  private final Supplier<List<ProcessHandle>> everywhere;
  private final long killedBefore = ProcessTable.killedForMemory();
  private final NewProcesses newProcesses = new NewProcesses();

  /** Its process and what that and its children have started, as long as they are their parents. */
  private Set<Long> family = Set.of();

  private List<Long> strays = List.of();
  private boolean newStrays = true;
  private long looks;
  private long peak;

  /** How many the kernel had killed some time ago: who is killed is still there for a while. */
  private long killedForMemory = killedBefore;

  private long noted = killedBefore;
  private long notedNanos = System.nanoTime();
  private String exhausted = "";
  private @Nullable WorkerGroup group;

  /**
   * @param limit bytes
   * @param everywhere finds all its processes; dear
   */
  MemoryWatch(long limit, Supplier<List<ProcessHandle>> everywhere) {
    this.limit = limit;
    this.everywhere = everywhere;
  }

  /** They are in this group, in which the kernel keeps the limit. */
  synchronized void within(WorkerGroup itsGroup) {
    group = itsGroup;
  }

  /** Whether the kernel keeps the limit, so that what is looked for here is no more than news. */
  synchronized boolean isKeptByKernel() {
    return group != null;
  }

  /**
   * Looks at them.
   *
   * @param leader pid of the worker's process
   * @return whether they have to be killed for their memory
   */
  synchronized boolean look(long leader) {
    boolean due = System.nanoTime() - notedNanos > NOTED_EVERY_NANOS;
    long killed = due ? ProcessTable.killedForMemory() : noted;
    search(leader);
    Set<Long> all = new HashSet<>(strays);
    all.addAll(family);
    long resident = 0;
    long own = 0;
    List<Long> living = new ArrayList<>();
    for (long pid : all) {
      Optional<ProcessTable.Memory> memory = ProcessTable.memory(pid);
      if (memory.isPresent()) {
        living.add(pid);
        resident += memory.get().resident();
        own += memory.get().own();
        peak = Math.max(peak, pid == leader ? memory.get().peak() : 0);
      }
    }
    if (due && !living.isEmpty()) {
      killedForMemory = noted;
      noted = killed;
      notedNanos = System.nanoTime();
    }
    peak = Math.max(peak, resident);
    if (own > limit && living.size() > 1) {
      own = ProcessTable.ownShared(living);
    }
    if (own > limit && exhausted.isEmpty()) {
      exhausted =
          "the process took %d MiB of memory, more than its limit of %d MiB"
              .formatted(own >> 20, limit >> 20);
    }
    askGroup();
    return !exhausted.isEmpty();
  }

  /** Searches are what costs: there are none while no process has begun anywhere. */
  private void search(long leader) {
    boolean possible = newProcesses.possible();
    newStrays |= possible;
    if (looks++ % LOOKS_BETWEEN_SEARCHES == LOOKS_BETWEEN_SEARCHES - 1 && newStrays) {
      strays = everywhere.get().stream().map(ProcessHandle::pid).toList();
      newStrays = possible;
    }
    if (possible) {
      family = new HashSet<>();
      addFamily(leader, family);
    }
  }

  private void askGroup() {
    if (group != null && exhausted.isEmpty()) {
      exhausted = group.exhausted();
      peak = exhausted.isEmpty() ? peak : Math.max(peak, limit);
    }
  }

  private static void addFamily(long pid, Set<Long> found) {
    if (found.add(pid)) {
      ProcessTable.children(pid).forEach(child -> addFamily(child, found));
    }
  }

  /**
   * What is to be said of it at its end.
   *
   * @param killed whether it ended by a SIGKILL that did not come from here: the kernel's, if that
   *     has just killed somebody for want of memory
   */
  synchronized ServerEvent.Memory atEnd(boolean killed) {
    askGroup();
    if (killed && exhausted.isEmpty() && ProcessTable.killedForMemory() > killedForMemory) {
      exhausted =
          "the kernel killed the process, as the machine or its container had no memory left";
    }
    return new ServerEvent.Memory(peak, exhausted);
  }
}
