package io.troupe.executor.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The groups of this machine's kernel where it lets us, and folders shaped like those of others.
 */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class CgroupsTest {
  private static final int MIB = 1 << 20;
  private static final String MARK = "1-2-3-4";

  @TempDir Path folder;

  private static Config config(String text) {
    return ConfigFactory.parseString(text)
        .withFallback(ConfigFactory.load().getConfig("troupe.executor.cgroup"));
  }

  /** Those of this machine, for a test. */
  static Cgroups ofThisMachine() {
    Cgroups found = Cgroups.find(config(""), "test-" + UUID.randomUUID());
    assumeTrue(!found.folders().isEmpty(), "no cgroup can be made here");
    return found;
  }

  private void file(String name, String content) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, content);
  }

  /** The files of a group, as the kernel would make them. */
  private void group(String name, String... files) throws IOException {
    for (String file : files) {
      file(name + "/" + file, "");
    }
    file(name + "/cgroup.procs", "");
  }

  private String read(String name) throws IOException {
    return Files.readString(folder.resolve(name)).strip();
  }

  private List<String> second(String root) {
    return List.of(
        "25 1 0:23 / /proc rw - proc proc rw",
        "38 31 0:38 " + root + " " + folder + " rw,relatime shared:4 - cgroup2 cgroup2 rw");
  }

  @Test
  void of_version_2_a_group_gets_its_limit_with_its_swap_its_weight_and_dies_as_one()
      throws IOException {
    String[] files = {"memory.max", "memory.swap.max", "memory.oom.group", "cpu.weight"};
    file("agent/cgroup.controllers", "cpuset cpu io memory pids\n");
    file("agent/cgroup.subtree_control", "");
    file("agent/cpu.max", "max 100000");
    group("agent/troupe-worker-1-2-3-4.probe", files);
    Cgroups found = Cgroups.find(config(""), MARK, List.of("0::/agent"), second("/"));
    assertThat(found.folders()).containsExactly(folder.resolve("agent"));
    assertThat(read("agent/cgroup.subtree_control")).isEqualTo("+cpu");
    assertThat(read("agent/troupe-worker-1-2-3-4.probe/cgroup.procs"))
        .as("a process has joined it")
        .isEqualTo("0");

    String own = "agent/troupe-worker-1-2-3-4.p.0.1-1";
    group(own, files);
    WorkerGroup group = found.make("p.0.1-1", 64 * MIB, 0.5).orElseThrow();
    assertThat(read(own + "/memory.max")).isEqualTo("67108864");
    assertThat(read(own + "/memory.swap.max")).isEqualTo("0");
    assertThat(read(own + "/memory.oom.group")).isEqualTo("1");
    assertThat(read(own + "/cpu.weight")).isEqualTo("20");
    assertThat(group.exhausted()).isEmpty();
    file(own + "/memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 0\noom_group_kill 0\n");
    assertThat(group.exhausted()).isEmpty();
    file(own + "/memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\noom_group_kill 1\n");
    assertThat(group.exhausted())
        .isEqualTo(
            "the process took 64 MiB of memory, all that it may have, and the kernel killed it");
  }

  @Test
  void of_version_1_memory_and_processors_are_two_hierarchies_seen_from_a_containers_root()
      throws IOException {
    String probe = "/troupe-worker-1-2-3-4.probe";
    group("mem/inner" + probe, "memory.limit_in_bytes", "memory.memsw.limit_in_bytes");
    group("cpu/inner" + probe, "cpu.shares");
    file("cpu/inner/cpu.cfs_quota_us", "-1");
    Cgroups found =
        Cgroups.find(
            config(""),
            MARK,
            List.of("9:memory:/mesos/c1/inner", "3:cpu,cpuacct:/mesos/c1/inner", "0::/"),
            List.of(
                "35 31 0:32 /mesos/c1 " + folder + "/mem rw - cgroup cgroup rw,memory",
                "32 31 0:29 /mesos/c1 " + folder + "/cpu rw - cgroup cgroup rw,cpu,cpuacct"));
    assertThat(found.folders())
        .containsExactly(folder.resolve("mem/inner"), folder.resolve("cpu/inner"));
    assertThat(read("mem/inner" + probe + "/memory.limit_in_bytes")).isEqualTo("67108864");
    assertThat(read("mem/inner" + probe + "/memory.memsw.limit_in_bytes")).isEqualTo("67108864");
    assertThat(read("cpu/inner" + probe + "/cpu.shares")).isEqualTo("1024");
  }

  @Test
  void a_delegated_group_is_used_instead_of_the_executors_own() throws IOException {
    file("troupe/cgroup.controllers", "memory");
    file("troupe/cgroup.subtree_control", "memory");
    group("troupe/troupe-worker-1-2-3-4.probe", "memory.max");
    Cgroups found =
        Cgroups.find(config("parent = /troupe"), MARK, List.of("0::/agent"), second("/"));
    assertThat(found.folders()).containsExactly(folder.resolve("troupe"));
  }

  @ParameterizedTest
  @CsvSource({
    "cpu pids, memory, /agent, no memory",
    "memory, '', /elsewhere, not there",
    "memory, memory, /agent, no file of the kernel in a new group",
  })
  void where_none_can_be_made_there_are_none(
      String controllers, String enabled, String own, String why) throws IOException {
    file("agent/cgroup.controllers", controllers);
    file("agent/cgroup.subtree_control", enabled);
    Cgroups found = Cgroups.find(config(""), MARK, List.of("0::" + own), second("/"));
    assertThat(found.folders()).as(why).isEmpty();
    assertThat(found.make("p.0.1-1", MIB, 1)).as(why).isEmpty();
    try (var left = Files.list(folder.resolve("agent"))) {
      assertThat(left).hasSize(2);
    }
  }

  @Test
  void processes_of_others_are_not_moved_to_make_room_for_groups() throws IOException {
    file("agent/cgroup.controllers", "memory");
    Files.createDirectories(folder.resolve("agent/cgroup.subtree_control")); // cannot be written
    file("agent/cgroup.procs", ProcessHandle.current().pid() + "\n1\n");
    Cgroups found = Cgroups.find(config(""), MARK, List.of("0::/agent"), second("/"));
    assertThat(found.folders()).isEmpty();
    assertThat(folder.resolve("agent/troupe-executor-" + MARK)).doesNotExist();
  }

  @Test
  void they_can_be_switched_off_and_no_other_word_is_taken_for_that() {
    assertThat(Cgroups.find(config("use = off"), MARK).folders()).isEmpty();
    assertThatThrownBy(() -> Cgroups.find(config("use = never"), MARK))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("auto or off");
  }

  @Test
  void where_the_executor_is_in_no_group_of_its_own_for_processors_workers_get_no_share_of_them()
      throws IOException {
    file("cgroup.controllers", "cpu memory");
    file("cgroup.subtree_control", "cpu memory");
    group("troupe-worker-1-2-3-4.probe", "memory.max", "cpu.weight");
    assertThat(Cgroups.find(config(""), MARK, List.of("0::/"), second("/")).folders())
        .containsExactly(folder);
    assertThat(read("troupe-worker-1-2-3-4.probe/cpu.weight")).isEmpty();
  }

  @Test
  void what_is_in_a_group_dies_with_it_though_it_has_hidden_from_everything_else()
      throws Exception {
    Path memory = Path.of("/sys/fs/cgroup/memory");
    Path cpu = Path.of("/sys/fs/cgroup/cpu");
    String parent = "troupe-test-" + ProcessHandle.current().pid();
    assumeTrue(
        List.of(memory, cpu).stream().allMatch(root -> Files.isWritable(root.resolve("tasks"))),
        "no root of version 1 here");
    Files.createDirectory(memory.resolve(parent));
    Files.createDirectory(cpu.resolve(parent));
    try {
      aHiddenProcessDies(Cgroups.find(config("parent = /" + parent), MARK));
    } finally {
      Files.delete(memory.resolve(parent));
      Files.delete(cpu.resolve(parent));
    }
  }

  private void aHiddenProcessDies(Cgroups groups) throws Exception {
    WorkerGroup group = groups.make("p.0.1-1", 64 * MIB, 2).orElseThrow();
    assertThat(groups.folders()).hasSize(2);
    assertThat(Files.readString(made(groups.folders().get(1), ".p.0.1-1").resolve("cpu.shares")))
        .isEqualTo("2048\n");
    List<String> hidden = List.of("setsid", "env", "-i", "sleep", "600");
    Process process = new ProcessBuilder(group.joined(hidden)).start();
    List<Path> own = groups.folders().stream().map(base -> made(base, ".p.0.1-1")).toList();
    Processes.eventually("it is in all of them", () -> own.stream().allMatch(this::isOccupied));
    group.remove();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(own).noneMatch(Files::exists);
    group.remove(); // without effect
  }

  private boolean isOccupied(Path group) {
    try {
      return !Cgroups.words(group.resolve("cgroup.procs")).isEmpty();
    } catch (IOException e) {
      return false;
    }
  }

  private static Path made(Path base, String end) {
    try (var all = Files.list(base)) {
      return all.filter(path -> path.toString().endsWith(end)).findFirst().orElseThrow();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
