package io.troupe.local.allocator;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Who is offered what in one run: agents in random order; on each, the role and then the framework
 * with the smallest dominant share that does not refuse gets everything that is free and usable by
 * it. Pure but for the random order.
 */
public final class Allocator {

  /** Less than both of these is not worth an offer. */
  private static final long LEAST_CPUS_THOUSANDTHS = 10;

  private static final long LEAST_MEM_THOUSANDTHS = 32_000;

  private Allocator() {}

  /**
   * What is free on an agent.
   *
   * @param total all that the agent has
   * @param free what is neither used nor offered
   */
  public record Space(String agent, MesosResources total, MesosResources free) {}

  /**
   * A framework's role that may get offers.
   *
   * @param allocated what the role of the framework uses and is offered now
   * @param allocations how many offers it got before; the fewer go first at the same share
   * @param gpus whether it wants to see agents that have GPUs
   */
  public record Client(
      String framework, String role, MesosResources allocated, long allocations, boolean gpus) {}

  /** The client is to be offered the resources of the agent. */
  public record Grant(Client client, String agent, MesosResources resources) {}

  /** Says no to what should not be offered. */
  public interface Refusals {
    boolean refuses(Client client, String agent, MesosResources resources);
  }

  /** The grants of one run. */
  public static List<Grant> allocate(
      List<Space> spaces, List<Client> clients, Refusals refusals, Random random) {
    Shares shares = new Shares(spaces, clients);
    List<Space> shuffled = new ArrayList<>(spaces);
    Collections.shuffle(shuffled, random);
    List<Grant> grants = new ArrayList<>();
    for (Space space : shuffled) {
      MesosResources free = space.free();
      for (Client client : shares.inOrder()) {
        MesosResources candidate = free.usableBy(client.role());
        if (worthOffering(candidate)
            && (client.gpus() || space.total().scalar("gpus") == 0)
            && !refusals.refuses(client, space.agent(), candidate)) {
          grants.add(new Grant(client, space.agent(), candidate.allocatedTo(client.role())));
          shares.granted(client, candidate);
          free = free.minus(candidate);
        }
      }
    }
    return grants;
  }

  private static boolean worthOffering(MesosResources resources) {
    Map<String, Long> scalars = resources.scalars();
    return scalars.getOrDefault("cpus", 0L) >= LEAST_CPUS_THOUSANDTHS
        || scalars.getOrDefault("mem", 0L) >= LEAST_MEM_THOUSANDTHS;
  }

  /** Dominant shares during one run. */
  private static final class Shares {
    private final Map<String, Long> total = new HashMap<>();
    private final Map<Client, MesosResources> byClient = new HashMap<>();
    private final Map<String, MesosResources> byRole = new HashMap<>();
    private final Map<Client, Long> allocations = new HashMap<>();
    private final List<Client> clients;

    Shares(List<Space> spaces, List<Client> clients) {
      this.clients = clients;
      for (Space space : spaces) {
        space.total().scalars().forEach((name, amount) -> total.merge(name, amount, Long::sum));
      }
      for (Client client : clients) {
        byClient.put(client, client.allocated());
        byRole.merge(client.role(), client.allocated(), MesosResources::plus);
        allocations.put(client, client.allocations());
      }
    }

    List<Client> inOrder() {
      List<Client> sorted = new ArrayList<>(clients);
      sorted.sort(
          Comparator.<Client>comparingDouble(client -> share(byRole.get(client.role())))
              .thenComparing(Client::role)
              .thenComparingDouble(client -> share(byClient.get(client)))
              .thenComparingLong(client -> allocations.getOrDefault(client, 0L))
              .thenComparing(Client::framework));
      return sorted;
    }

    private double share(MesosResources allocated) {
      double dominant = 0;
      for (Map.Entry<String, Long> scalar : allocated.scalars().entrySet()) {
        long all = total.getOrDefault(scalar.getKey(), 0L);
        if (all > 0) {
          dominant = Math.max(dominant, (double) scalar.getValue() / all);
        }
      }
      return dominant;
    }

    void granted(Client client, MesosResources resources) {
      byClient.merge(client, resources, MesosResources::plus);
      byRole.merge(client.role(), resources, MesosResources::plus);
      allocations.merge(client, 1L, Long::sum);
    }
  }
}
