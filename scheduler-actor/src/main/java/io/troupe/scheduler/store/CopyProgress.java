package io.troupe.scheduler.store;

/** Is told how far a copy is; often, so it must be quick. */
public interface CopyProgress {
  /**
   * So far.
   *
   * @param what a table, or a kind of files
   * @param done rows, or files
   * @param all how many there will be
   */
  void at(String what, long done, long all);
}
