package io.troupe.scheduler.api;

import akka.http.javadsl.model.AttributeKeys;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.RemoteAddress;
import akka.http.javadsl.settings.ServerSettings;
import akka.io.Inet;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/**
 * The connections of a server, to ask whether one is closed. Akka HTTP tells the stream of an
 * answer so, too, but seconds later: so that the end of a connection does not overtake what came
 * before it, it is held back by {@code stream-cancellation-delay} at each stage. Thread-safe.
 */
final class Connections extends Inet.AbstractSocketOptionV2 {
  private static final int FEW = 64;

  private final Map<InetSocketAddress, Socket> byClient = new ConcurrentHashMap<>();
  private volatile int many = FEW;

  /** The settings of a server whose connections are known here. */
  ServerSettings seenBy(ServerSettings settings) {
    List<Inet.SocketOption> options = new ArrayList<>();
    settings.getSocketOptions().forEach(options::add);
    options.add(this);
    return settings.withSocketOptions(options).withRemoteAddressAttribute(true);
  }

  /** Called by Akka with each connection that it has accepted. */
  @Override
  public void afterConnect(Socket socket) {
    if (byClient.size() >= many) {
      byClient.values().removeIf(Socket::isClosed);
      many = Math.max(FEW, 2 * byClient.size());
    }
    byClient.put((InetSocketAddress) socket.getRemoteSocketAddress(), socket);
  }

  /** Whether the connection that this request came on is closed now, by whichever side. */
  BooleanSupplier closed(HttpRequest request) {
    Optional<Socket> socket =
        request.getAttribute(AttributeKeys.remoteAddress).flatMap(this::connectionOf);
    return () -> socket.map(Socket::isClosed).orElse(false);
  }

  private Optional<Socket> connectionOf(RemoteAddress client) {
    return client
        .getAddress()
        .map(address -> byClient.get(new InetSocketAddress(address, client.getPort())));
  }
}
