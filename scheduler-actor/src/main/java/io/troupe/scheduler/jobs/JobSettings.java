package io.troupe.scheduler.jobs;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import java.time.Duration;

/**
 * {@code troupe.jobs} of reference.conf.
 *
 * @param limits how much a queue keeps
 * @param supervisorBytes a supervisor that holds payloads of so many bytes gets no further job
 * @param lease how long an attempt stays with a supervisor that does not renew it
 * @param batchJobs how many jobs one message to a supervisor carries at most
 * @param batchBytes how many bytes of payload it carries at most, unless a single job is larger
 * @param payloadBytes how large the payload of one line of a map may be
 * @param blobs what holds for payloads and results that are not passed along
 * @param rememberStored how long a job in the store is remembered after its end
 */
public record JobSettings(
    QueueState.Limits limits,
    long supervisorBytes,
    Duration lease,
    int batchJobs,
    long batchBytes,
    long payloadBytes,
    Blobs blobs,
    Duration rememberStored) {

  /**
   * Payloads and results of single jobs that are kept in files.
   *
   * @param above a payload of more bytes is kept so
   * @param largest how large one may be
   * @param bytes how much all of them may take
   * @param told how much the results of maps may take that their clients have been sent
   * @param sweep how often those are removed whose jobs are no longer remembered
   * @param url below which executors fetch and bring them
   */
  public record Blobs(long above, long largest, long bytes, long told, Duration sweep, String url) {
    public Blobs {
      positive("blobs.above", above);
      positive("blobs.largest", largest);
      positive("blobs.bytes", bytes);
      positive("blobs.told", told);
      positive("blobs.sweep", sweep.toMillis());
      if (above > LARGEST_PAYLOAD) {
        throw new ConfigException.BadValue(
            "troupe.jobs.blobs.above",
            "must be at most 8 MiB, because what is smaller travels in one message of a job line: "
                + above);
      }
    }
  }

  /** What fits into a message of a job line, with all that goes with it. */
  private static final long LARGEST_PAYLOAD = 8 << 20;

  public JobSettings {
    positive("max-queued", limits.jobs());
    positive("max-queued-bytes", limits.bytes());
    positive("remember", limits.endedJobs());
    positive("remember-told", limits.toldJobs());
    positive("supervisor-bytes", supervisorBytes);
    positive("remember-bytes", limits.endedBytes());
    positive("remember-for", limits.endedFor().toMillis());
    positive("lease", lease.toMillis());
    positive("batch", batchJobs);
    positive("batch-bytes", batchBytes);
    positive("max-payload", payloadBytes);
    positive("window", limits.window());
    positive("remember-stored-for", rememberStored.toMillis());
    if (payloadBytes > LARGEST_PAYLOAD) {
      throw new ConfigException.BadValue(
          "troupe.jobs.max-payload",
          "must be at most 8 MiB, because a payload travels in one message of a job line: "
              + payloadBytes);
    }
  }

  /** Reads them from the whole configuration. */
  public static JobSettings from(Config root) {
    Config jobs = root.getConfig("troupe.jobs");
    return new JobSettings(
        new QueueState.Limits(
            jobs.getInt("max-queued"),
            jobs.getBytes("max-queued-bytes"),
            jobs.getInt("remember"),
            jobs.getInt("remember-told"),
            jobs.getBytes("remember-bytes"),
            jobs.getDuration("remember-for"),
            jobs.getInt("window")),
        jobs.getBytes("supervisor-bytes"),
        jobs.getDuration("lease"),
        jobs.getInt("batch"),
        jobs.getBytes("batch-bytes"),
        jobs.getBytes("max-payload"),
        new Blobs(
            jobs.getBytes("blobs.above"),
            jobs.getBytes("blobs.largest"),
            jobs.getBytes("blobs.bytes"),
            jobs.getBytes("blobs.told"),
            jobs.getDuration("blobs.sweep"),
            "http://"
                + root.getString("troupe.bind")
                + ":"
                + root.getInt("troupe.api.port")
                + "/v1/blobs"),
        jobs.getDuration("remember-stored-for"));
  }

  private static void positive(String key, long value) {
    if (value <= 0) {
      throw new ConfigException.BadValue("troupe.jobs." + key, "must be positive: " + value);
    }
  }
}
