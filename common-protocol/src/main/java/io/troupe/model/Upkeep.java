package io.troupe.model;

import java.time.Duration;

/**
 * What a worker's process may take and when it is replaced, beyond what its resources say. 0 is no
 * limit of its own, everywhere but in {@code core}.
 *
 * @param memMb memory in MiB that it and all it has started may take; 0 for what the pool's
 *     resources say
 * @param files open files of one process
 * @param processes processes of the user it runs as
 * @param coreMb MiB of a core file; -1 for what the machine says
 * @param nice how much it stands back for others, up to 19
 * @param recycleJobs it is replaced after so many jobs
 * @param recycleAge it is replaced when it was ready for so long, a tenth more or less
 * @param recycleRssMb it is replaced when it is larger than so many MiB
 * @param heartbeat a job that gives no sign of life for so long is ended
 */
public record Upkeep(
    double memMb,
    int files,
    int processes,
    int coreMb,
    int nice,
    long recycleJobs,
    Duration recycleAge,
    double recycleRssMb,
    Duration heartbeat) {

  /** Nothing that a pool has not asked for. */
  public static final Upkeep NONE = new Upkeep(0, 0, 0, -1, 0, 0, Duration.ZERO, 0, Duration.ZERO);
}
