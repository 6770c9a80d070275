package io.troupe.local.http;

import akka.actor.typed.ActorSystem;
import akka.actor.typed.javadsl.Adapter;
import akka.http.javadsl.Http;
import akka.http.javadsl.ServerBinding;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.settings.ParserSettings;
import akka.http.javadsl.settings.ServerSettings;
import akka.japi.function.Function;
import java.util.concurrent.CompletionStage;

/** Binds ports the way Mesos' clients need it: streams stay open, however long nothing is said. */
public final class HttpServers {

  private HttpServers() {}

  /** A server at the address; fails when the port is taken. */
  public static CompletionStage<ServerBinding> bind(
      ActorSystem<?> system,
      String ip,
      int port,
      Function<HttpRequest, CompletionStage<HttpResponse>> routes) {
    ServerSettings settings = ServerSettings.create(Adapter.toClassic(system));
    ParserSettings parser =
        settings
            .getParserSettings()
            .withCustomMediaTypes(Negotiation.JSON_AS_SENT, Negotiation.PROTOBUF)
            .withMaxContentLength(Bodies.MAX_BYTES);
    return Http.get(system)
        .newServerAt(ip, port)
        .withSettings(settings.withParserSettings(parser))
        .bind(routes);
  }
}
