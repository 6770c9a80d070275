package io.troupe.scheduler.watch;

import akka.actor.AbstractExtensionId;
import akka.actor.ExtendedActorSystem;
import akka.actor.Extension;
import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.http.javadsl.model.Uri;
import akka.management.javadsl.AkkaManagement;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/**
 * What the management routes show. Akka Management makes its routes by class name, with nothing but
 * the actor system at hand; through this extension of the system they find the rest.
 */
public final class Watching implements Extension {

  /** What there is to show. */
  record Shown(ActorRef<TreeKeeper.Command> tree, Metrics metrics) {}

  private static final AbstractExtensionId<Watching> ID =
      new AbstractExtensionId<>() {
        @Override
        public Watching createExtension(ExtendedActorSystem system) {
          return new Watching();
        }
      };

  private volatile Optional<Shown> shown = Optional.empty();

  private Watching() {}

  /**
   * Starts Akka Management, which shows this from now on. The stage fails when the address cannot
   * be had.
   *
   * @throws com.typesafe.config.ConfigException if it is not a loopback address
   */
  public static CompletionStage<Uri> start(
      ActorSystem<?> system, ActorRef<TreeKeeper.Command> tree, Metrics metrics) {
    String key = "akka.management.http.hostname";
    Loopback.only(key, system.settings().config().getString(key));
    ID.get(system.classicSystem()).shown = Optional.of(new Shown(tree, metrics));
    return AkkaManagement.get(system.classicSystem()).start();
  }

  static Optional<Shown> of(ExtendedActorSystem system) {
    return ID.get(system).shown;
  }
}
