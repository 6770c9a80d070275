package io.troupe.scheduler.api;

import akka.Done;
import akka.http.javadsl.model.AttributeKey;
import akka.http.javadsl.model.HttpRequest;
import akka.stream.Attributes;
import akka.stream.FlowShape;
import akka.stream.Inlet;
import akka.stream.Outlet;
import akka.stream.stage.AbstractInHandler;
import akka.stream.stage.AbstractOutHandler;
import akka.stream.stage.GraphStage;
import akka.stream.stage.GraphStageLogic;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * The requests of one connection, each with word of the client's end: Akka HTTP goes on streaming
 * an answer to a client who has closed the connection until a write fails, and an answer that has
 * nothing to say for an hour would not be missed for an hour.
 */
final class Connection extends GraphStage<FlowShape<HttpRequest, HttpRequest>> {
  private static final AttributeKey<Closed> CLOSED =
      AttributeKey.create("closed-by-client", Closed.class);

  private record Closed(CompletableFuture<Done> byClient) {}

  private final Inlet<HttpRequest> in = Inlet.create("Connection.in");
  private final Outlet<HttpRequest> out = Outlet.create("Connection.out");
  private final FlowShape<HttpRequest, HttpRequest> shape = FlowShape.of(in, out);

  /** Completed when the client has closed the connection, or sends nothing more on it. */
  static CompletionStage<Done> closedByClient(HttpRequest request) {
    return request
        .getAttribute(CLOSED)
        .<CompletionStage<Done>>map(Closed::byClient)
        .orElseGet(CompletableFuture::new);
  }

  @Override
  public FlowShape<HttpRequest, HttpRequest> shape() {
    return shape;
  }

  @Override
  public GraphStageLogic createLogic(Attributes inherited) {
    return new GraphStageLogic(shape) {
      private final Closed closed = new Closed(new CompletableFuture<>());

      {
        setHandler(
            in,
            new AbstractInHandler() {
              @Override
              public void onPush() {
                push(out, grab(in).addAttribute(CLOSED, closed));
              }

              @Override
              public void onUpstreamFinish() throws Exception {
                closed.byClient().complete(Done.getInstance());
                super.onUpstreamFinish();
              }

              @Override
              public void onUpstreamFailure(Throwable failure) throws Exception {
                closed.byClient().complete(Done.getInstance());
                super.onUpstreamFailure(failure);
              }
            });
        setHandler(
            out,
            new AbstractOutHandler() {
              @Override
              public void onPull() {
                pull(in);
              }
            });
      }
    };
  }
}
