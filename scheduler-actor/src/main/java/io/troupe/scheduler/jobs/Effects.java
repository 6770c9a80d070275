package io.troupe.scheduler.jobs;

import akka.actor.typed.ActorRef;
import io.troupe.protocol.Assignment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What is told to others once a write is done. */
final class Effects {

  /**
   * An answer that waits.
   *
   * @param job the job that is answered for
   * @param submission whether it is the answer to the job's submission
   */
  record Reply(ActorRef<JobQueue.Answer> to, JobQueue.Answer answer, Job job, boolean submission) {}

  /** So many batches of outcomes have come, up to this one. */
  record Thanks(long upTo, int batches) {
    static final Thanks NONE = new Thanks(0, 0);
  }

  final List<Reply> replies = new ArrayList<>();
  final Map<ActorRef<JobQueue.Told>, List<JobEnd>> ends = new LinkedHashMap<>();
  final Map<SupervisorLink, Thanks> thanks = new LinkedHashMap<>();

  /** By the supervisor's name: it may have another link by then. */
  final Map<String, List<Assignment>> assignments = new LinkedHashMap<>();
}
