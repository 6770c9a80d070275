package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import akka.actor.typed.javadsl.Behaviors;
import io.troupe.scheduler.jobs.JobQueue;
import io.troupe.scheduler.jobs.JobSettings;
import io.troupe.scheduler.jobs.OneQueue;
import io.troupe.scheduler.store.BlobStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How much the sweep asks of a queue that takes its time. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class BlobSweepPaceTest {
  private static final int JOBS = 2 * BlobSweep.AT_ONCE + 1;
  private static final Duration LOOK = Duration.ofSeconds(1);

  @TempDir private Path folder;
  private ActorTestKit kit;
  private ManualTime time;

  @BeforeEach
  void start() {
    kit = ActorTestKit.create(ManualTime.config());
    time = ManualTime.get(kit.system());
  }

  private void sweep(ActorRef<JobQueue.Command> queue) throws IOException {
    OneQueue only = new OneQueue(queue, RunningApi.readPool("name = p"));
    BlobStore store = BlobStore.open(folder);
    for (int i = 0; i < JOBS; i++) {
      store.put(List.of(ByteBuffer.allocate(1)), only.newId());
    }
    kit.spawn(
        BlobSweep.create(
            store,
            only.directory(),
            new JobSettings.Blobs(1, 1 << 30, 1 << 30, 1, LOOK, "http://h/v1/blobs")));
  }

  @AfterEach
  void stop() {
    kit.shutdownTestKit();
  }

  private static List<JobQueue.Find> asked(TestProbe<JobQueue.Command> queue, int count) {
    List<JobQueue.Find> asked = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      asked.add(queue.expectMessageClass(JobQueue.Find.class));
    }
    return asked;
  }

  @Test
  void it_asks_about_some_jobs_at_a_time_and_about_none_twice_before_all_are_answered()
      throws IOException {
    TestProbe<JobQueue.Command> queue = kit.createTestProbe();
    sweep(queue.getRef());
    time.timePasses(LOOK);
    List<JobQueue.Find> all = asked(queue, BlobSweep.AT_ONCE);
    time.expectNoMessageFor(LOOK.multipliedBy(2), queue);
    for (int i = 0; i < JOBS - BlobSweep.AT_ONCE; i++) {
      all.get(i).replyTo().tell(new JobQueue.Unknown(all.get(i).id()));
      all.addAll(asked(queue, 1));
    }
    time.expectNoMessageFor(LOOK, queue);
    assertThat(all).extracting(JobQueue.Find::id).doesNotHaveDuplicates();
  }

  @Test
  void where_no_answer_comes_it_asks_again_later() throws IOException {
    AtomicInteger questions = new AtomicInteger();
    sweep(
        kit.spawn(
            Behaviors.receiveMessage(
                question -> {
                  questions.incrementAndGet();
                  return Behaviors.same();
                })));
    Eventually.holds(
        () -> {
          time.timePasses(LOOK);
          return questions.get() > JOBS;
        });
  }
}
