package io.troupe.scheduler.offers;

import static org.assertj.core.api.Assertions.assertThat;

import io.troupe.scheduler.offers.Offer.Part;
import io.troupe.scheduler.offers.Offer.Range;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Which workers go onto which offers. */
@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class MatchingTest {
  private static final Amount WORKER = new Amount(500, 128_000, 0);
  private static final Amount EXECUTOR = new Amount(100, 256_000, 0);

  private static Need need(String pool, int missing) {
    return need(pool, missing, WORKER);
  }

  private static Need need(String pool, int missing, Amount worker) {
    return new Need(pool, Map.of("1", pool + "-x"), worker, EXECUTOR, missing, Map.of(), Set.of());
  }

  private static Offer offer(String agent, long cpuMillis, long memMib, String... executors) {
    return new Offer(
        "offer-of-" + agent,
        agent,
        "host-" + agent,
        Set.of(executors),
        List.of(
            new Part("cpus", "c", cpuMillis, List.of()),
            new Part("mem", "m", memMib * 1000, List.of()),
            new Part("ports", "p", 0, List.of(new Range(31000, 31001), new Range(31005, 31009)))));
  }

  private static List<String> agents(Matching matching) {
    return matching.placements().stream().map(p -> p.offer().agentId()).toList();
  }

  private static Amount sum(List<Part> parts) {
    return Free.of(parts).total();
  }

  @Test
  void the_executor_is_charged_with_the_first_worker_on_an_agent_and_not_again() {
    Matching matching =
        Matching.of(List.of(need("a", Need.ALL_THAT_FIT)), List.of(offer("1", 2000, 4000)));

    assertThat(matching.placements()).hasSize(3);
    assertThat(sum(matching.placements().get(0).executor())).isEqualTo(EXECUTOR);
    assertThat(matching.placements().get(1).executor()).isEmpty();
    assertThat(matching.placements().get(2).executor()).isEmpty();
  }

  @Test
  void an_executor_that_the_offer_lists_is_not_charged() {
    Matching matching =
        Matching.of(List.of(need("a", Need.ALL_THAT_FIT)), List.of(offer("1", 2000, 4000, "a-x")));

    assertThat(matching.placements()).hasSize(4).allMatch(p -> p.executor().isEmpty());
  }

  @Test
  void beside_an_executor_that_is_not_the_one_for_further_workers_another_one_is_charged() {
    Matching matching = Matching.of(List.of(need("a", 1)), List.of(offer("1", 2000, 4000, "a-y")));

    assertThat(sum(matching.placements().get(0).executor())).isEqualTo(EXECUTOR);
  }

  @Test
  void a_worker_that_fits_only_without_its_executor_is_not_placed_and_the_refusal_says_so() {
    Matching matching = Matching.of(List.of(need("a", 1)), List.of(offer("1", 500, 4000)));

    assertThat(matching.placements()).isEmpty();
    assertThat(matching.refusals())
        .containsExactly(
            new Matching.Refusal(
                "a", "1", "host-1", WORKER.plus(EXECUTOR), new Amount(500, 4_000_000, 7)));
  }

  @Test
  void a_number_of_workers_is_spread_over_the_agents() {
    Matching matching =
        Matching.of(
            List.of(need("a", 5)),
            List.of(offer("1", 8000, 8000), offer("2", 4000, 8000), offer("3", 4000, 8000)));

    assertThat(agents(matching)).containsExactlyInAnyOrder("1", "2", "3", "1", "2");
  }

  @Test
  void agents_that_have_workers_of_the_pool_already_come_last() {
    Need need = new Need("a", Map.of(), WORKER, EXECUTOR, 1, Map.of("1", 2), Set.of());

    assertThat(
            agents(
                Matching.of(List.of(need), List.of(offer("1", 8000, 8000), offer("2", 1000, 900)))))
        .containsExactly("2");
  }

  @Test
  void nothing_is_placed_where_it_may_not_be() {
    Need need = new Need("a", Map.of(), WORKER, EXECUTOR, 1, Map.of(), Set.of("1"));
    Matching matching = Matching.of(List.of(need), List.of(offer("1", 8000, 8000)));

    assertThat(matching.placements()).isEmpty();
    assertThat(matching.refusals()).isEmpty();
  }

  @Test
  void a_pool_that_wants_a_number_comes_before_one_that_takes_all_that_fits() {
    Matching matching =
        Matching.of(
            List.of(need("all", Need.ALL_THAT_FIT), need("two", 2)),
            List.of(offer("1", 1500, 4000)));

    assertThat(matching.placements()).extracting(Placement::pool).containsExactly("two", "two");
  }

  @Test
  void pools_that_take_all_that_fits_share_by_turns() {
    Matching matching =
        Matching.of(
            List.of(need("a", Need.ALL_THAT_FIT), need("b", Need.ALL_THAT_FIT)),
            List.of(offer("1", 2200, 8000)));

    assertThat(matching.placements())
        .extracting(Placement::pool)
        .containsExactly("a", "b", "a", "b");
  }

  @Test
  void ports_are_taken_from_the_ranges_and_never_twice() {
    Need need = need("a", 3, new Amount(100, 32_000, 2));
    Matching matching = Matching.of(List.of(need), List.of(offer("1", 8000, 8000)));

    assertThat(matching.placements())
        .extracting(Placement::ports)
        .containsExactly(List.of(31000, 31001), List.of(31005, 31006), List.of(31007, 31008));
  }

  @Test
  void parts_keep_their_kind_so_that_reserved_and_other_resources_are_quoted_as_offered() {
    Offer offer =
        new Offer(
            "o",
            "1",
            "h",
            Set.of("a-x"),
            List.of(
                new Part("cpus", "reserved", 300, List.of()),
                new Part("cpus", "free", 1000, List.of()),
                new Part("mem", "free", 4_000_000, List.of())));

    Placement placement = Matching.of(List.of(need("a", 1)), List.of(offer)).placements().get(0);

    assertThat(placement.worker())
        .containsExactly(
            new Part("cpus", "reserved", 300, List.of()),
            new Part("cpus", "free", 200, List.of()),
            new Part("mem", "free", 128_000, List.of()));
  }

  @Test
  void sums_are_exact() {
    assertThat(Amount.of(new io.troupe.model.Resources(0.1, 32, 0)).plus(new Amount(200, 0, 0)))
        .isEqualTo(Amount.of(new io.troupe.model.Resources(0.3, 32, 0)));
  }

  static LongStream seeds() {
    return LongStream.range(0, 300);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void never_gives_more_than_offered_nor_more_than_wanted_and_leaves_nothing_that_fits(long seed) {
    Random random = new Random(seed);
    List<Offer> offers = new ArrayList<>();
    for (int i = 0; i < 1 + random.nextInt(5); i++) {
      offers.add(offer("agent" + i, random.nextInt(6000), random.nextInt(4000)));
    }
    List<Need> needs = new ArrayList<>();
    for (int i = 0; i < 1 + random.nextInt(3); i++) {
      Amount worker =
          new Amount(1 + random.nextInt(900), 1000 + random.nextInt(600_000), random.nextInt(3));
      int missing = random.nextInt(3) == 0 ? Need.ALL_THAT_FIT : random.nextInt(8);
      needs.add(need("pool" + i, missing, worker));
    }

    Matching matching = Matching.of(needs, offers);

    Map<String, Amount> given = new HashMap<>();
    Set<String> charged = new HashSet<>();
    Set<String> ports = new HashSet<>();
    for (Placement placement : matching.placements()) {
      String agent = placement.offer().agentId();
      given.merge(agent, sum(placement.worker()), Amount::plus);
      given.merge(agent, sum(placement.executor()), Amount::plus);
      assertThat(charged.add(placement.pool() + "@" + agent))
          .isEqualTo(!placement.executor().isEmpty());
      placement.ports().forEach(port -> assertThat(ports.add(agent + ":" + port)).isTrue());
    }
    for (Offer offer : offers) {
      assertThat(offer.total().covers(given.getOrDefault(offer.agentId(), Amount.NONE))).isTrue();
    }
    for (Need need : needs) {
      long placed =
          matching.placements().stream().filter(p -> p.pool().equals(need.pool())).count();
      assertThat(placed).isLessThanOrEqualTo(need.missing());
    }
    for (Matching.Refusal refusal : matching.refusals()) {
      assertThat(refusal.left().covers(refusal.needed())).isFalse();
    }
  }
}
