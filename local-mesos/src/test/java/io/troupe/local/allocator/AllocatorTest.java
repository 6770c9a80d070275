package io.troupe.local.allocator;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.local.allocator.Allocator.Client;
import io.troupe.local.allocator.Allocator.Grant;
import io.troupe.local.allocator.Allocator.Space;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class AllocatorTest {

  private static final Instant NOW = Instant.parse("2026-11-23T12:00:00Z");

  private static MesosResources resources(String text) {
    return MesosResources.of(ResourceText.resources(text));
  }

  private static Space agent(String id, String free) {
    return new Space(id, resources("cpus:4;mem:1024"), resources(free));
  }

  private static Client client(String framework, String allocated) {
    return new Client(framework, "*", resources(allocated), 0, false);
  }

  private static List<Grant> allocate(List<Space> agents, List<Client> clients) {
    return Allocator.allocate(agents, clients, (c, a, r) -> false, new Random(1));
  }

  @Test
  void who_has_the_smallest_share_gets_all_of_an_agent() {
    List<Grant> grants =
        allocate(
            List.of(agent("S0", "cpus:3;mem:512")),
            List.of(client("rich", "cpus:1"), client("poor", "mem:1")));
    assertThat(grants).hasSize(1);
    assertThat(grants.get(0).client().framework()).isEqualTo("poor");
    assertThat(grants.get(0).resources().unallocated()).isEqualTo(resources("cpus:3;mem:512"));
  }

  @Test
  void two_frameworks_share_the_agents_of_a_round() {
    List<Grant> grants =
        allocate(
            List.of(agent("S0", "cpus:4;mem:1024"), agent("S1", "cpus:4;mem:1024")),
            List.of(client("a", ""), client("b", "")));
    assertThat(grants).extracting(grant -> grant.client().framework()).containsOnly("a", "b");
  }

  @Test
  void crumbs_are_not_offered() {
    List<Client> clients = List.of(client("a", ""));
    assertThat(allocate(List.of(agent("S0", "cpus:0.009;mem:31.9")), clients)).isEmpty();
    assertThat(allocate(List.of(agent("S0", "cpus:0.01")), clients)).hasSize(1);
    assertThat(allocate(List.of(agent("S0", "mem:32")), clients)).hasSize(1);
  }

  @Test
  void what_one_refuses_another_gets() {
    List<Grant> grants =
        Allocator.allocate(
            List.of(agent("S0", "cpus:4;mem:1024")),
            List.of(client("a", ""), client("b", "cpus:1")),
            (c, a, r) -> c.framework().equals("a"),
            new Random(1));
    assertThat(grants).extracting(grant -> grant.client().framework()).containsExactly("b");
  }

  @Test
  void agents_with_gpus_are_kept_for_those_who_want_them() {
    Space gpus = new Space("S0", resources("cpus:4;gpus:1"), resources("cpus:4;gpus:1"));
    Client wanting = new Client("b", "*", MesosResources.NONE, 9, true);
    assertThat(allocate(List.of(gpus), List.of(client("a", "")))).isEmpty();
    assertThat(allocate(List.of(gpus), List.of(client("a", ""), wanting))).hasSize(1);
  }

  // ---- refusals

  private final OfferFilters filters = new OfferFilters(Duration.ofSeconds(1));

  private boolean blocked(String offered, double secondsLater) {
    return filters.blocks(
        "f", "*", "S0", resources(offered), NOW.plusMillis((long) (secondsLater * 1000)));
  }

  @Test
  void a_refusal_covers_as_much_and_less_but_not_more() {
    filters.refuse("f", "*", "S0", resources("cpus:2;mem:100"), 5, NOW);
    assertThat(blocked("cpus:2;mem:100", 4)).isTrue();
    assertThat(blocked("cpus:1", 4)).isTrue();
    assertThat(blocked("cpus:2.1;mem:100", 4)).isFalse();
    assertThat(filters.blocks("f", "*", "S1", resources("cpus:1"), NOW)).isFalse();
    assertThat(filters.blocks("g", "*", "S0", resources("cpus:1"), NOW)).isFalse();
  }

  @Test
  void a_refusal_ends_with_its_time() {
    filters.refuse("f", "*", "S0", resources("cpus:2"), 5, NOW);
    assertThat(blocked("cpus:2", 5)).isTrue();
    assertThat(blocked("cpus:2", 5.1)).isFalse();
  }

  @Test
  void no_seconds_are_no_refusal_and_senseless_ones_the_default() {
    filters.refuse("f", "*", "S0", resources("cpus:2"), 0, NOW);
    assertThat(blocked("cpus:2", 0)).isFalse();
    filters.refuse("f", "*", "S0", resources("cpus:2"), -1, NOW);
    assertThat(blocked("cpus:2", 4.9)).isTrue();
    assertThat(blocked("cpus:2", 5.1)).isFalse();
  }

  @Test
  void a_short_refusal_outlives_the_next_round_and_a_long_one_a_year() {
    filters.refuse("f", "*", "S0", resources("cpus:2"), 0.1, NOW);
    assertThat(blocked("cpus:2", 1)).isTrue();
    filters.refuse("f", "*", "S0", resources("cpus:2"), 1e15, NOW);
    assertThat(blocked("cpus:2", (double) Duration.ofDays(365).toSeconds())).isTrue();
    assertThat(blocked("cpus:2", Duration.ofDays(365).toSeconds() + 1.0)).isFalse();
  }

  @Test
  void reviving_a_role_forgets_its_refusals_alone() {
    filters.refuse("f", "*", "S0", resources("cpus:2"), 60, NOW);
    filters.clear("f", Set.of("other"));
    assertThat(blocked("cpus:2", 1)).isTrue();
    filters.clear("f", Set.of("*"));
    assertThat(blocked("cpus:2", 1)).isFalse();
  }
}
