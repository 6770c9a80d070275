package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.typed.ActorRef;
import io.troupe.model.Container;
import io.troupe.model.HttpChecks;
import io.troupe.model.JobPolicy;
import io.troupe.model.PoolFile;
import io.troupe.model.PoolSize;
import io.troupe.model.PoolSpec;
import io.troupe.model.Requirements;
import io.troupe.model.Resources;
import io.troupe.model.Serving;
import io.troupe.model.Upkeep;
import io.troupe.model.WorkerProtocol;
import io.troupe.scheduler.jobs.FakeScheduler;
import io.troupe.scheduler.pool.SchedulerActor;
import io.troupe.scheduler.store.FileStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class FileSweepTest {
  private static final Duration KEEP = Duration.ofHours(1);

  @TempDir private Path folder;

  /** A file that came long ago. */
  private static String old(FileStore files, Path folder, String content) throws IOException {
    String name = files.add(Files.writeString(folder.resolve("content"), content));
    age(files.path(name));
    return name;
  }

  private static void age(Path file) throws IOException {
    Files.setLastModifiedTime(file, FileTime.from(Instant.now().minus(KEEP.multipliedBy(2))));
  }

  /** Makes it old again, as a look that had begun before the pool was gone may have used it. */
  private static boolean isGoneWhenOld(FileStore files, String name) {
    try {
      age(files.path(name));
      return false;
    } catch (NoSuchFileException e) {
      return true;
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static boolean isFresh(FileStore files, String name) {
    try {
      Instant used = Files.getLastModifiedTime(files.path(name)).toInstant();
      return used.isAfter(Instant.now().minus(KEEP));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void a_file_goes_some_time_after_the_last_pool_that_named_it_and_no_other_does()
      throws Exception {
    FileStore files = FileStore.open(folder.resolve("files"));
    String bundle = old(files, folder, "bundle");
    String module = old(files, folder, "module");
    String requirements = old(files, folder, "requirements");
    String unnamed = old(files, folder, "unnamed");
    String asked = old(files, folder, "asked for");
    assertThat(files.use(asked)).isTrue();
    assertThat(files.use("0".repeat(64))).isFalse();
    Path incoming = files.incoming();
    String sent = files.add(Files.writeString(folder.resolve("content"), "just sent"));

    ActorTestKit kit = ActorTestKit.create();
    try {
      ActorRef<SchedulerActor.Command> scheduler = kit.spawn(FakeScheduler.create());
      scheduler.tell(
          new SchedulerActor.ApplyPool(
              pool(module, requirements), kit.<SchedulerActor.Answer>createTestProbe().getRef()));
      kit.spawn(
          FileSweep.create(
              files, scheduler, new FileSweep.Settings(KEEP, Duration.ofMillis(20), bundle)));
      Eventually.holds(() -> !files.has(unnamed));
      for (String needed : List.of(bundle, module, requirements)) {
        Eventually.holds(() -> isFresh(files, needed)); // its time begins when no pool names it
      }
      assertThat(List.of(asked, sent)).allMatch(files::has);
      assertThat(incoming).exists();

      scheduler.tell(
          new SchedulerActor.DeletePool(
              "p", kit.<SchedulerActor.Answer>createTestProbe().getRef()));
      Eventually.holds(() -> isGoneWhenOld(files, module));
    } finally {
      kit.shutdownTestKit();
    }
  }

  private static PoolSpec pool(String module, String requirements) {
    return new PoolSpec(
        "p",
        "run",
        WorkerProtocol.FRAMES,
        List.of(new PoolFile("m.py", module)),
        new Resources(0.5, 128, 0),
        new PoolSize.Fixed(1),
        new JobPolicy(Duration.ofSeconds(1), 1, JobPolicy.Durability.MEMORY),
        Map.of(),
        PoolSpec.DEFAULT_START_TIMEOUT,
        Upkeep.NONE,
        HttpChecks.NONE,
        new Requirements(requirements, "python3", "", Duration.ofMinutes(1)),
        Container.NONE,
        List.of(),
        Serving.ONE_AT_A_TIME);
  }
}
