package io.troupe.local.http;

import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.stream.Materializer;
import akka.util.ByteString;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.zip.GZIPInputStream;

/** Request bodies as bytes, within limits of size and time. */
final class Bodies {

  /** A call with 40 tasks of 200 KB of data each fits with room to spare. */
  static final long MAX_BYTES = 64L << 20;

  private static final long TIMEOUT_MS = 20_000;

  private Bodies() {}

  /** Reads the body and goes on with it, or answers what was wrong with it. */
  static CompletionStage<HttpResponse> read(
      HttpRequest request,
      Materializer materializer,
      Function<byte[], CompletionStage<HttpResponse>> then) {
    return request
        .entity()
        .toStrict(TIMEOUT_MS, MAX_BYTES, materializer)
        .<CompletionStage<HttpResponse>>handle(
            (strict, failure) -> {
              if (failure == null) {
                return then.apply(decoded(request, strict.getData()));
              }
              boolean tooSlow =
                  String.valueOf(failure).contains("TimeoutException")
                      || String.valueOf(failure.getCause()).contains("TimeoutException");
              return java.util.concurrent.CompletableFuture.completedStage(
                  tooSlow
                      ? Replies.text(408, Texts.BODY_TOO_SLOW)
                      : Replies.text(413, Texts.BODY_TOO_LARGE));
            })
        .thenCompose(Function.identity());
  }

  private static byte[] decoded(HttpRequest request, ByteString body) {
    byte[] bytes = body.toArray();
    boolean gzip =
        request
            .getHeader("Content-Encoding")
            .filter(header -> header.value().equalsIgnoreCase("gzip"))
            .isPresent();
    if (!gzip) {
      return bytes;
    }
    try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(bytes))) {
      return in.readNBytes((int) MAX_BYTES);
    } catch (IOException e) {
      return new byte[0]; // what is no gzip is no call either
    }
  }
}
