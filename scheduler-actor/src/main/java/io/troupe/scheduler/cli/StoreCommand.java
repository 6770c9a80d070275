package io.troupe.scheduler.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import io.troupe.scheduler.Configuration;
import io.troupe.scheduler.pool.Store.StoreException;
import io.troupe.scheduler.store.Backup;
import io.troupe.scheduler.store.Database;
import io.troupe.scheduler.store.DumpFile;
import io.troupe.scheduler.store.Restore;
import io.troupe.scheduler.store.StoreLocation;
import io.troupe.scheduler.store.StoreSettings;
import io.troupe.scheduler.store.StoreStats;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "store",
    description = "Copy, move and look into what a scheduler keeps: pools, workers, jobs.",
    subcommands = {
      StoreCommand.BackUp.class,
      StoreCommand.Bring.class,
      StoreCommand.Migrate.class,
      StoreCommand.Stats.class
    })
final class StoreCommand extends Group {

  /** What all of them have: where the store is, said as to bin/troupe scheduler. */
  abstract static class OfStore extends Leaf {
    @Option(
        names = "--dir",
        paramLabel = "DIR",
        description =
            "The scheduler's folder (default: troupe.dir of the settings; a local cluster's is"
                + " .troupe/scheduler).")
    private @Nullable Path dir;

    @Option(
        names = "--conf",
        paramLabel = "FILE",
        description = "The scheduler's settings, where its store is on a database server.")
    private @Nullable Path conf;

    /** Does it; what the store says goes to the user as it is. */
    abstract int work(StoreLocation store);

    @Override
    final int run() {
      try {
        Config config =
            Configuration.ofFile(
                Optional.ofNullable(conf),
                dir == null ? Map.of() : Map.of("troupe.dir", dir.toString()));
        return work(
            new StoreLocation(StoreSettings.from(config), Path.of(config.getString("troupe.dir"))));
      } catch (StoreException | ConfigException e) {
        throw Failure.of(String.valueOf(e.getMessage()).replaceAll("\\s+", " "));
      }
    }

    /** The running scheduler, if it is the one that has this store. */
    final SchedulerClient schedulerOf(StoreLocation store) {
      JsonNode other;
      try {
        other = scheduler().get("/v1/store", SchedulerClient.SOON.multipliedBy(10)).json();
      } catch (Failure unreachable) {
        throw Failure.of(
            "%s is in use, and its scheduler cannot be asked: %s"
                .formatted(store.name(), unreachable.getMessage()));
      }
      String its = other.path("store").asText();
      if (!its.equals(store.name())) {
        throw Failure.of(
            "%s is in use, but the scheduler at %s has %s: say where the right one is with --url"
                .formatted(store.name(), scheduler().url(), its));
      }
      return scheduler();
    }
  }

  @Command(
      name = "backup",
      description =
          "Write all that a store holds, as it is at this moment, into one file. A scheduler that"
              + " uses it may go on: it is asked for it.")
  static final class BackUp extends OfStore {
    @Parameters(paramLabel = "FILE", description = "Such as troupe.zip; must not exist.")
    private Path file = Path.of("");

    @Override
    int work(StoreLocation store) {
      try (CopyTerminal progress = new CopyTerminal(terminal());
          DumpFile dump = DumpFile.create(file)) {
        Optional<Database> free = store.openIfFree();
        if (free.isPresent()) {
          try (Database database = free.get();
              Backup backup = Backup.ofResting(database, store.folder())) {
            dump.write(backup, progress);
          }
        } else {
          schedulerOf(store).download("/v1/store/backup", dump.incoming());
        }
        JsonNode manifest = dump.keep(progress);
        progress.clear();
        return say(manifest, "%s is in %s (%s)".formatted(store.name(), file, words(manifest)));
      }
    }
  }

  @Command(
      name = "restore",
      description =
          "Put what a backup holds into a store that no scheduler uses. What runs still from after"
              + " the backup is not believed; jobs that ended since run again.")
  static final class Bring extends OfStore {
    @Parameters(paramLabel = "FILE", description = "A file that backup has written.")
    private Path file = Path.of("");

    @Option(names = "--replace", description = "Lose what the store holds.")
    private boolean replace;

    @Override
    int work(StoreLocation store) {
      if (!Files.isRegularFile(file)) {
        throw Failure.of(file + " is not a file: say which backup to restore");
      }
      try (CopyTerminal progress = new CopyTerminal(terminal())) {
        StoreStats stats = new Restore(store, replace, progress).from(file);
        progress.clear();
        return say(stats.json(), "%s has now %s".formatted(store.name(), stats.inShort()));
      }
    }
  }

  @Command(
      name = "migrate",
      description =
          "Copy a store that no scheduler uses into another database: from the H2 file to"
              + " PostgreSQL (--to jdbc:postgresql://HOST:PORT/DATABASE) or back (--to h2).",
      footer = {
        "",
        "The password of PostgreSQL comes from TROUPE_STORE_PASSWORD, or from the settings. What"
            + " was copied stays as it was."
      })
  static final class Migrate extends OfStore {
    @Option(
        names = "--to",
        required = true,
        paramLabel = "DATABASE",
        description = "h2, for the file in the folder, or PostgreSQL's JDBC URL.")
    private String to = "";

    @Option(
        names = "--user",
        paramLabel = "NAME",
        description = "Who connects to it (default: troupe.store.user of the settings).")
    private @Nullable String user;

    @Option(names = "--replace", description = "Lose what that database holds.")
    private boolean replace;

    @Override
    int work(StoreLocation store) {
      if (to.toLowerCase(java.util.Locale.ROOT).contains("password=")) {
        throw Failure.usage(
            "a password on the command line can be seen by others: set TROUPE_STORE_PASSWORD");
      }
      StoreSettings settings = store.settings();
      StoreLocation target =
          new StoreLocation(
              new StoreSettings(
                  to.equals("h2") ? "" : to,
                  user == null ? settings.user() : user,
                  settings.password()),
              store.folder());
      if (target.name().equals(store.name())) {
        throw Failure.usage(
            to.equals("h2")
                ? "it is in the H2 file already: say with --conf which settings lead to PostgreSQL"
                : "it is there already: without --conf, the H2 file is what is copied");
      }
      Database source =
          store
              .openIfFree()
              .orElseThrow(
                  () ->
                      Failure.of(
                          store.name()
                              + " is in use: stop the scheduler first, so that it accepts nothing"
                              + " that would not be copied"));
      try (source;
          CopyTerminal progress = new CopyTerminal(terminal())) {
        StoreStats stats = new Restore(target, replace, progress).from(source);
        progress.clear();
        String next =
            to.equals("h2")
                ? "start the scheduler without troupe.store.url"
                : "start the scheduler with troupe.store.url = \"" + to + "\" in its settings";
        return say(
            stats.json(),
            "%s has now %s; %s, and not on %s any more"
                .formatted(target.name(), stats.inShort(), next, store.name()));
      }
    }
  }

  @Command(
      name = "stats",
      description = "Show what a store holds, whether or not a scheduler uses it.")
  static final class Stats extends OfStore {
    @Override
    int work(StoreLocation store) {
      JsonNode stats;
      Optional<Database> database = store.openToRead();
      if (database.isPresent()) {
        try (Database open = database.get()) {
          stats = StoreStats.of(open).json();
        }
      } else {
        stats = schedulerOf(store).get("/v1/store", SchedulerClient.SOON.multipliedBy(10)).json();
      }
      if (json()) {
        terminal().json(stats);
        return 0;
      }
      terminal()
          .out()
          .println(
              "%s: %s, schema %s, %,.1f MiB, %,d workers, %,d jobs"
                  .formatted(
                      stats.path("store").asText(),
                      stats.path("database").asText(),
                      stats.path("schema").asText(),
                      stats.path("bytes").asDouble() / (1 << 20),
                      stats.path("workers").asLong(),
                      stats.path("jobs").asLong()));
      Table table = new Table("POOL", "WAITING", "SUCCEEDED", "FAILED", "CANCELLED", "DEAD");
      stats
          .path("pools")
          .fields()
          .forEachRemaining(
              pool -> {
                JsonNode jobs = pool.getValue();
                table.row(
                    pool.getKey(),
                    jobs.path("QUEUED").asLong() + jobs.path("RUNNING").asLong(),
                    jobs.path("SUCCEEDED").asLong(),
                    jobs.path("FAILED").asLong(),
                    jobs.path("CANCELLED").asLong(),
                    jobs.path("DEAD").asLong());
              });
      table.print(terminal(), "no pools and no jobs");
      return 0;
    }
  }

  private static String words(JsonNode manifest) {
    JsonNode tables = manifest.path("tables");
    long jobs =
        tables.path("live_jobs").path("rows").asLong()
            + tables.path("ended_jobs").path("rows").asLong();
    return "%,d pools, %,d jobs, %,d files; read again and compared"
        .formatted(
            tables.path("pools").path("rows").asLong(),
            jobs,
            manifest.path("files").path("blobs").path("files").asLong()
                + manifest.path("files").path("files").path("files").asLong());
  }
}
