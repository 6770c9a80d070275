package io.troupe.local.allocator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.apache.mesos.v1.Protos.Resource;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class MesosResourcesTest {

  private static MesosResources resources(String text) {
    return MesosResources.of(ResourceText.resources(text));
  }

  @Test
  void a_tenth_ten_times_is_one() {
    MesosResources sum = MesosResources.NONE;
    for (int i = 0; i < 10; i++) {
      sum = sum.plus(resources("cpus:0.1"));
    }
    assertThat(sum).isEqualTo(resources("cpus:1"));
    for (int i = 0; i < 10; i++) {
      assertThat(sum.contains(resources("cpus:0.1"))).isTrue();
      sum = sum.minus(resources("cpus:0.1"));
    }
    assertThat(sum.isEmpty()).isTrue();
  }

  @Test
  void ports_that_were_split_merge_again() {
    MesosResources all = resources("ports:[31000-32000]");
    MesosResources left = all.minus(resources("ports:[31006-31006, 31500-31599]"));
    assertThat(left).hasToString("ports:[31000-31005, 31007-31499, 31600-32000]");
    assertThat(left.contains(resources("ports:[31005-31007]"))).isFalse();
    assertThat(left.plus(resources("ports:[31500-31599]")).plus(resources("ports:[31006-31006]")))
        .isEqualTo(all);
  }

  @Test
  void what_is_allocated_to_different_roles_does_not_add_up() {
    MesosResources one = resources("cpus:1").allocatedTo("a");
    MesosResources other = resources("cpus:1").allocatedTo("b");
    assertThat(one.plus(other).contains(resources("cpus:2").allocatedTo("a"))).isFalse();
    assertThat(one.plus(other).unallocated()).isEqualTo(resources("cpus:2"));
  }

  @Test
  void a_reserved_resource_is_usable_by_its_role_alone() {
    MesosResources total = resources("cpus:1;cpus(web):2;mem:64");
    assertThat(total.usableBy("web").scalar("cpus")).isEqualTo(3);
    assertThat(total.usableBy("db").scalar("cpus")).isEqualTo(1);
    assertThat(total.reserved()).containsOnlyKeys("web");
  }

  @Test
  @SuppressWarnings("deprecation") // role is what frameworks without RESERVATION_REFINEMENT read
  void older_frameworks_see_the_role_and_newer_ones_the_reservations() {
    List<Resource> old = resources("cpus:1;mem(web):2").toProtos(MesosResources.Format.ROLE);
    assertThat(old).extracting(Resource::getRole).containsExactly("*", "web");
    List<Resource> refined = resources("cpus:1;mem(web):2").toProtos(MesosResources.Format.REFINED);
    assertThat(refined).noneMatch(Resource::hasRole);
    assertThat(refined).extracting(Resource::getReservationsCount).containsExactly(0, 1);
    assertThat(MesosResources.of(old)).isEqualTo(MesosResources.of(refined));
  }

  /** Ranges against a set of bits, which cannot be wrong in the same way. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void ranges_are_sets_of_numbers(long seed) {
    Random random = new Random(seed);
    for (int round = 0; round < 300; round++) {
      BitSet one = numbers(random);
      BitSet other = numbers(random);
      Ranges first = ranges(one);
      Ranges second = ranges(other);

      assertThat(first.plus(second))
          .as("seed %s: %s + %s", seed, first, second)
          .isEqualTo(ranges(or(one, other)));
      assertThat(first.minus(second))
          .as("seed %s: %s - %s", seed, first, second)
          .isEqualTo(ranges(andNot(one, other)));
      assertThat(first.contains(second))
          .as("seed %s: %s contains %s", seed, first, second)
          .isEqualTo(andNot(other, one).isEmpty());
    }
  }

  /** Taking what is contained and giving it back changes nothing, whatever the order. */
  @ParameterizedTest
  @ValueSource(longs = {11, 12, 13, 14})
  void what_is_taken_and_given_back_is_all_there_again(long seed) {
    Random random = new Random(seed);
    MesosResources all = resources("cpus:8;mem:4096;disk:100.5;ports:[31000-31999];names:{a,b,c}");
    MesosResources left = all;
    List<MesosResources> taken = new ArrayList<>();
    for (int round = 0; round < 400; round++) {
      long port = 31000L + random.nextInt(990);
      MesosResources wanted =
          resources(
              "cpus:0."
                  + (1 + random.nextInt(9))
                  + ";mem:"
                  + (1 + random.nextInt(64))
                  + ";ports:["
                  + port
                  + "-"
                  + (port + random.nextInt(9))
                  + "]");
      if (left.contains(wanted)) {
        left = left.minus(wanted);
        taken.add(wanted);
      } else if (!taken.isEmpty()) {
        left = left.plus(taken.remove(random.nextInt(taken.size())));
      }
      assertThat(all.contains(left)).as("seed %s, round %s", seed, round).isTrue();
    }
    for (MesosResources back : taken) {
      left = left.plus(back);
    }
    assertThat(left).as("seed %s", seed).isEqualTo(all);
  }

  private static BitSet numbers(Random random) {
    BitSet bits = new BitSet();
    for (int i = random.nextInt(4); i > 0; i--) {
      int begin = random.nextInt(40);
      bits.set(begin, begin + 1 + random.nextInt(8));
    }
    return bits;
  }

  private static Ranges ranges(BitSet bits) {
    List<Ranges.Interval> intervals = new ArrayList<>();
    for (int begin = bits.nextSetBit(0); begin >= 0; ) {
      int end = bits.nextClearBit(begin);
      intervals.add(new Ranges.Interval(begin, end - 1));
      begin = bits.nextSetBit(end);
    }
    return new Ranges(intervals);
  }

  private static BitSet or(BitSet one, BitSet other) {
    BitSet result = (BitSet) one.clone();
    result.or(other);
    return result;
  }

  private static BitSet andNot(BitSet one, BitSet other) {
    BitSet result = (BitSet) one.clone();
    result.andNot(other);
    return result;
  }
}
