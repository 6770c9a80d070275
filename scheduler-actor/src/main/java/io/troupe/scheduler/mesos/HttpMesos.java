package io.troupe.scheduler.mesos;

import akka.actor.typed.ActorRef;
import java.util.function.Function;
import org.apache.mesos.v1.scheduler.Mesos;
import org.apache.mesos.v1.scheduler.Protos.Call;

/**
 * The v1 scheduler API over HTTP, in Java alone: what {@code V1Mesos} is with libmesos.
 * Thread-safe; never blocks. The scheduler's callbacks come one at a time, on threads of the
 * ActorSystem.
 */
public final class HttpMesos implements Mesos, AutoCloseable {
  private final ActorRef<MasterConnection.Command> connection;

  /**
   * Starts looking for a master.
   *
   * @param spawn makes an actor of the connection, given the Mesos that callbacks are to name
   */
  public HttpMesos(Function<Mesos, ActorRef<MasterConnection.Command>> spawn) {
    this.connection = spawn.apply(this);
    connection.tell(MasterConnection.Order.START); // not earlier: callbacks name this object
  }

  /** Sends the call; drops it unless the framework is subscribed or the call is SUBSCRIBE. */
  @Override
  public void send(Call call) {
    connection.tell(new MasterConnection.Send(call));
  }

  /** Drops the connection and looks for a master again. */
  @Override
  public void reconnect() {
    connection.tell(MasterConnection.Order.RECONNECT);
  }

  /** Drops the connection for good; to the master, the framework is away, not gone. */
  @Override
  public void close() {
    connection.tell(MasterConnection.Order.CLOSE);
  }
}
