package io.troupe.local.master;

import io.troupe.local.allocator.MesosResources;

/**
 * What a framework may take of an agent.
 *
 * @param resources allocated to the role
 */
public record Offer(
    String id, String frameworkId, String agentId, String role, MesosResources resources) {}
