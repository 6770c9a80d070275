package io.troupe.local.http;

import akka.http.javadsl.model.ContentType;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpCharset;
import akka.http.javadsl.model.HttpCharsets;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.MediaTypes;
import akka.http.javadsl.model.headers.RawHeader;
import io.troupe.local.master.Answer;
import io.troupe.mesos.WireFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import java.util.zip.GZIPOutputStream;

/** Complete answers, as Mesos forms them. */
final class Replies {

  private static final int WORTH_COMPRESSING = 1024;
  private static final HttpCharset UTF_8 = HttpCharsets.custom("utf-8");
  private static final ContentType TEXT = ContentTypes.create(MediaTypes.TEXT_PLAIN, UTF_8);
  static final ContentType JSON = ContentTypes.APPLICATION_JSON;
  private static final ContentType PROTOBUF =
      ContentTypes.create(
          MediaTypes.customBinary("application", "x-protobuf", MediaTypes.NOT_COMPRESSIBLE));

  private Replies() {}

  static ContentType contentType(WireFormat format) {
    return switch (format) {
      case JSON -> JSON;
      case PROTOBUF -> PROTOBUF;
    };
  }

  static HttpResponse empty(int status) {
    return HttpResponse.create().withStatus(status);
  }

  static HttpResponse text(int status, String text) {
    return HttpResponse.create().withStatus(status).withEntity(TEXT, bytes(text));
  }

  static HttpResponse of(Answer answer) {
    return answer.text().isEmpty() ? empty(answer.status()) : text(answer.status(), answer.text());
  }

  static HttpResponse notFound() {
    return text(404, Texts.NOT_FOUND);
  }

  static HttpResponse methodNotAllowed(HttpRequest request, String expected) {
    return text(405, Texts.methodNotAllowed(expected, request.method().value()))
        .addHeader(RawHeader.create("Allow", expected));
  }

  /** JSON, wrapped for {@code ?jsonp=}, compressed if it is long and the client can have it so. */
  static HttpResponse json(HttpRequest request, byte[] json) {
    Optional<String> callback = request.getUri().query().get("jsonp");
    ContentType type =
        callback.isPresent()
            ? ContentTypes.create(
                MediaTypes.customBinary("text", "javascript", MediaTypes.COMPRESSIBLE))
            : JSON;
    byte[] body =
        callback
            .map(name -> bytes(name + "(" + new String(json, StandardCharsets.UTF_8) + ");"))
            .orElse(json);
    boolean compress =
        body.length >= WORTH_COMPRESSING
            && request
                .getHeader("Accept-Encoding")
                .filter(header -> header.value().toLowerCase(Locale.ROOT).contains("gzip"))
                .isPresent();
    HttpResponse response = HttpResponse.create().withStatus(200);
    return compress
        ? response
            .addHeader(RawHeader.create("Content-Encoding", "gzip"))
            .withEntity(HttpEntities.create(type, gzip(body)))
        : response.withEntity(HttpEntities.create(type, body));
  }

  private static byte[] gzip(byte[] body) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(body.length / 4);
    try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
      gzip.write(body);
    } catch (IOException e) {
      throw new UncheckedIOException("Compressing in memory", e);
    }
    return out.toByteArray();
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
