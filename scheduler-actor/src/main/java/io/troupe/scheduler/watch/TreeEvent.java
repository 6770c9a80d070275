package io.troupe.scheduler.watch;

/**
 * What a follower of the tree gets: first a snapshot, then deltas with rising numbers; another
 * snapshot when it was too slow to take them all.
 *
 * @param snapshot whether this is everything, or what has changed since the event before
 * @param json as the management routes show it
 */
public record TreeEvent(boolean snapshot, long seq, String json) {}
