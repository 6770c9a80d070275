package io.troupe.executor.process;

import com.typesafe.config.Config;
import io.troupe.model.PoolFile;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/**
 * The archives among the files of a pool: each is unpacked once, by the first worker that needs it,
 * with {@code troupe/unpack.py}. Any thread.
 */
public final class Archives {
  private final String python;
  private final Path packages;
  private final long mostBytes;
  private final int mostEntries;
  private final Set<PoolFile> unpacked = new HashSet<>();

  /**
   * @param python the interpreter
   * @param packages folder that holds the {@code troupe} package
   * @param config {@code troupe.executor.archives}
   */
  public Archives(String python, Path packages, Config config) {
    this.python = python;
    this.packages = packages;
    this.mostBytes = config.getBytes("size");
    this.mostEntries = config.getInt("entries");
  }

  /** How one is unpacked; false when that fails. */
  interface Unpacking {
    boolean run() throws java.io.IOException;
  }

  /** Has it unpacked unless it has been; whoever comes meanwhile waits. False when that fails. */
  synchronized boolean unpack(PoolFile archive, Unpacking unpacking) throws java.io.IOException {
    if (unpacked.contains(archive)) {
      return true;
    }
    boolean done = unpacking.run();
    if (done) {
      unpacked.add(archive);
    }
    return done;
  }

  /** The shell command that does it. */
  String command(PoolFile archive, Sandbox sandbox) {
    return quoted(python)
        + " -I -S -B "
        + quoted(packages.resolve("troupe/unpack.py").toString())
        + " "
        + quoted(sandbox.fetched(archive).toString())
        + " "
        + quoted(sandbox.unpacked(archive).toString())
        + " "
        + mostBytes
        + " "
        + mostEntries;
  }

  /** The shell command that stands for a worker which is forked by the server behind a socket. */
  String forked(ForkServers.Server server) {
    return "exec "
        + quoted(server.python())
        + " -I -S -B "
        + quoted(packages.resolve("troupe/forked.py").toString())
        + " "
        + quoted(server.socket().toString());
  }

  private static String quoted(String word) {
    return "'" + word.replace("'", "'\\''") + "'";
  }
}
