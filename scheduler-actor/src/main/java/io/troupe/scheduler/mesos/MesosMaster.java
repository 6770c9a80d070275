package io.troupe.scheduler.mesos;

import akka.actor.typed.ActorSystem;
import akka.actor.typed.Props;
import io.troupe.scheduler.pool.Master;
import io.troupe.scheduler.pool.MasterCall;
import io.troupe.scheduler.pool.MasterEvent;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.mesos.v1.scheduler.Mesos;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.apache.mesos.v1.scheduler.Protos.Event;
import org.apache.mesos.v1.scheduler.Scheduler;
import org.jspecify.annotations.Nullable;

/**
 * The scheduler's way to Mesos through any implementation of the v1 scheduler interface. Callbacks
 * become events for the listener, and nothing else happens in them. Thread-safe.
 */
public final class MesosMaster implements Master, Scheduler, AutoCloseable {
  private static final AtomicInteger CONNECTIONS = new AtomicInteger();

  private final MesosSettings settings;
  private final Function<Scheduler, Mesos> library;
  private final Consumer<MasterEvent> listener;
  private @Nullable Mesos mesos;
  private String frameworkId = "";

  /**
   * Starts the library.
   *
   * @param library makes a Mesos that calls the scheduler back
   * @param listener called from the library's threads, one event at a time; must not block
   */
  public MesosMaster(
      MesosSettings settings, Function<Scheduler, Mesos> library, Consumer<MasterEvent> listener) {
    this.settings = settings;
    this.library = library;
    this.listener = listener;
  }

  /** One that speaks the v1 API over HTTP, in actors of the system. */
  public static MesosMaster overHttp(
      ActorSystem<?> system, MesosSettings settings, Consumer<MasterEvent> listener) {
    return new MesosMaster(
        settings,
        scheduler ->
            new HttpMesos(
                mesos ->
                    system.systemActorOf(
                        MasterConnection.create(mesos, scheduler, settings),
                        "mesos-" + CONNECTIONS.incrementAndGet(),
                        Props.empty())),
        listener);
  }

  /** Begins to look for a master. */
  public synchronized void start() {
    if (mesos == null) {
      mesos = library.apply(this);
    }
  }

  @Override
  public synchronized void call(MasterCall call) {
    if (call instanceof MasterCall.Leave) {
      close();
    } else if (call instanceof MasterCall.Reconnect) {
      if (mesos == null) {
        start();
      } else {
        mesos.reconnect();
      }
    } else if (mesos != null) {
      mesos.send(translate(call));
    }
  }

  private Call translate(MasterCall call) {
    if (call instanceof MasterCall.Subscribe subscribe) {
      return Calls.subscribe(settings, subscribe);
    } else if (call instanceof MasterCall.Accept accept) {
      return Calls.accept(frameworkId, accept);
    } else if (call instanceof MasterCall.Decline decline) {
      return Calls.decline(frameworkId, decline);
    } else if (call instanceof MasterCall.Kill kill) {
      return Calls.kill(frameworkId, kill);
    } else if (call instanceof MasterCall.Acknowledge acknowledge) {
      return Calls.acknowledge(frameworkId, acknowledge);
    } else if (call instanceof MasterCall.Reconcile reconcile) {
      return Calls.reconcile(frameworkId, reconcile);
    } else if (call instanceof MasterCall.Message message) {
      return Calls.message(frameworkId, message);
    } else if (call instanceof MasterCall.Shutdown shutdown) {
      return Calls.shutdown(frameworkId, shutdown);
    } else if (call instanceof MasterCall.Suppress) {
      return Calls.suppress(frameworkId);
    } else if (call instanceof MasterCall.Revive) {
      return Calls.revive(frameworkId);
    } else if (call instanceof MasterCall.Teardown) {
      return Calls.teardown(frameworkId);
    }
    throw new IllegalStateException("no call of Mesos: " + call);
  }

  @Override
  public void connected(Mesos from) {
    listener.accept(new MasterEvent.Connected());
  }

  @Override
  public void disconnected(Mesos from) {
    listener.accept(new MasterEvent.Disconnected());
  }

  @Override
  public void received(Mesos from, Event event) {
    if (event.getType() == Event.Type.SUBSCRIBED) {
      synchronized (this) {
        frameworkId = event.getSubscribed().getFrameworkId().getValue();
      }
    }
    Events.translate(event).ifPresent(listener);
  }

  /** Leaves the master; to it, the framework is away, not gone. */
  @Override
  public synchronized void close() {
    if (mesos instanceof AutoCloseable closeable) {
      try {
        closeable.close();
      } catch (Exception e) {
        throw new IllegalStateException("closing the connection to the master", e);
      }
    }
    mesos = null;
  }
}
