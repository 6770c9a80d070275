package io.troupe.local.master;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.mesos.v1.Protos.OfferID;
import org.apache.mesos.v1.scheduler.Protos.Call;

/** Whether offers may be accepted together; the texts are a Mesos master's. Pure. */
final class OfferValidation {

  private OfferValidation() {}

  /** What is wrong with the offers; empty when nothing is. */
  static Optional<String> error(
      Call.Accept accept, Framework framework, Map<String, Offer> offers) {
    List<String> ids = accept.getOfferIdsList().stream().map(OfferID::getValue).toList();
    if (ids.isEmpty()) {
      return Optional.of("No offers specified");
    }
    Set<String> seen = new HashSet<>();
    for (String id : ids) {
      if (!seen.add(id)) {
        return Optional.of("Duplicate offer " + id + " in offer list");
      }
    }
    for (String id : ids) {
      Offer offer = offers.get(id);
      if (offer == null) {
        return Optional.of("Offer " + id + " is no longer valid");
      }
      if (!offer.frameworkId().equals(framework.id())) {
        return Optional.of(
            "Offer "
                + id
                + " has invalid framework "
                + offer.frameworkId()
                + " while framework "
                + framework.id()
                + " is expected");
      }
    }
    return togetherError(ids, offers);
  }

  private static Optional<String> togetherError(List<String> ids, Map<String, Offer> offers) {
    Offer first = offers.get(ids.get(0));
    for (String id : ids) {
      Offer offer = offers.get(id);
      if (!offer.role().equals(first.role())) {
        return Optional.of(
            "Aggregated offers must be allocated to the same role. Offer "
                + id
                + " uses role "
                + offer.role()
                + " but another is using role "
                + first.role());
      }
      if (!offer.agentId().equals(first.agentId())) {
        return Optional.of(
            "Aggregated offers must belong to one single agent. Offer "
                + id
                + " uses agent "
                + offer.agentId()
                + " and agent "
                + first.agentId());
      }
    }
    return Optional.empty();
  }
}
