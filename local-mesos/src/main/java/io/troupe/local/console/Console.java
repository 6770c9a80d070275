package io.troupe.local.console;

import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/** The page that shows agents, frameworks and tasks; it reads the same endpoints as anybody. */
public final class Console {

  private static final byte[] PAGE = load();

  private Console() {}

  private static byte[] load() {
    try (InputStream in =
        Console.class.getResourceAsStream("/io/troupe/local/console/console.html")) {
      if (in == null) {
        throw new IllegalStateException("console.html is not in the jar");
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException("Reading console.html", e);
    }
  }

  /** The page. */
  public static HttpResponse page() {
    return HttpResponse.create()
        .withStatus(200)
        .withEntity(HttpEntities.create(ContentTypes.TEXT_HTML_UTF8, PAGE));
  }
}
