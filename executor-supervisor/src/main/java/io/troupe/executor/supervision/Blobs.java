package io.troupe.executor.supervision;

import io.troupe.model.BlobRef;
import java.nio.file.Path;
import java.util.concurrent.CompletionStage;

/**
 * Payloads and results that are too large for messages, on this machine in files. No call blocks.
 */
public interface Blobs {

  /**
   * From now on this is the scheduler.
   *
   * @param url below which it keeps blobs
   */
  void at(String url);

  /**
   * Fetches a payload into a new file.
   *
   * @param job whose payload it is
   * @return the file, or a failure whose message is for people; then nothing is left of it
   */
  CompletionStage<Path> fetch(String job, BlobRef ref);

  /**
   * Brings a result to the scheduler. The file is gone afterwards, whatever came of it.
   *
   * @param job whose result it is
   */
  CompletionStage<BlobRef> bring(String job, Path file);

  /** Removes a file that {@link #fetch} made. */
  void remove(Path file);
}
