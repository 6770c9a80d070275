package io.troupe.protocol;

/**
 * What the function of a running job has yielded since a certain place. The array is shared, not
 * copied: nobody may change it.
 *
 * @param next the place behind it, where the next question goes on
 * @param lines whole lines, each the JSON of one value; empty when there is nothing new
 */
@SuppressWarnings("ArrayRecordComponent") // read once, by who asked
public record Parts(long next, byte[] lines) implements WireMessage {

  /** Nothing new since that place. */
  public static Parts noneSince(long place) {
    return new Parts(place, new byte[0]);
  }
}
