package io.troupe.executor.supervision;

import io.troupe.model.BlobRef;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;

/** Blobs whose transfers end when the test says so. */
final class FakeBlobs implements Blobs {
  final Map<String, CompletableFuture<Path>> fetches = new ConcurrentHashMap<>();
  final Map<String, CompletableFuture<BlobRef>> brought = new ConcurrentHashMap<>();
  final BlockingQueue<String> removed = new LinkedBlockingQueue<>();

  private volatile String url = "";

  @Override
  public void at(String newUrl) {
    url = newUrl;
  }

  @Override
  public CompletionStage<Path> fetch(String job, BlobRef ref) {
    return fetches.computeIfAbsent(url + "/" + ref.name(), key -> new CompletableFuture<>());
  }

  @Override
  public CompletionStage<BlobRef> bring(String job, Path file) {
    return brought.computeIfAbsent(
        url + "?job=" + job + " " + file, key -> new CompletableFuture<>());
  }

  @Override
  public void remove(Path file) {
    removed.add(file.toString());
  }
}
