package io.troupe.scheduler.api;

import akka.NotUsed;
import akka.http.javadsl.model.HttpEntity;
import akka.http.javadsl.model.RequestEntity;
import akka.stream.javadsl.Source;
import akka.util.ByteString;

/**
 * The body of a request, and whether it has come to its end. Akka HTTP does not say so itself: once
 * the answer has begun, a body that is cut off looks like one that is complete. Used by one stream.
 */
final class Body {
  private long missing;
  private boolean lastChunkMissing;

  /** The bytes of this request, without a limit of size. */
  Source<ByteString, NotUsed> of(RequestEntity entity) {
    if (entity.withoutSizeLimit() instanceof HttpEntity.Chunked chunked) {
      lastChunkMissing = true;
      return chunked
          .getChunks()
          .map(
              chunk -> {
                lastChunkMissing &= !chunk.isLastChunk();
                return chunk.data();
              })
          .mapMaterializedValue(ignored -> NotUsed.getInstance());
    }
    missing = entity.getContentLengthOption().orElse(0);
    return entity
        .withoutSizeLimit()
        .getDataBytes()
        .map(
            bytes -> {
              missing -= bytes.size();
              return bytes;
            })
        .mapMaterializedValue(ignored -> NotUsed.getInstance());
  }

  /** Whether all of it has come. */
  boolean isWhole() {
    return !lastChunkMissing && missing <= 0;
  }
}
