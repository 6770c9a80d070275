package io.troupe.client;

import org.jspecify.annotations.Nullable;

/**
 * How one job of a map ended.
 *
 * @param index of its argument, from 0
 * @param id of the job
 */
public record MapResult<R>(
    long index, String id, @Nullable R value, @Nullable JobFailedException failure) {

  /**
   * The result.
   *
   * @throws JobFailedException when there is none
   */
  public @Nullable R get() {
    if (failure != null) {
      throw failure;
    }
    return value;
  }
}
