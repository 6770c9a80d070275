package io.troupe.scheduler.api;

import akka.event.LoggingAdapter;
import org.slf4j.Logger;

/**
 * What Akka HTTP logs of this server. It warns of each answer that begins before its request is
 * over, which is how every map works; that warning is left out.
 */
final class ServerLog implements LoggingAdapter {
  private final Logger log;

  ServerLog(Logger log) {
    this.log = log;
  }

  @Override
  public boolean isErrorEnabled() {
    return log.isErrorEnabled();
  }

  @Override
  public boolean isWarningEnabled() {
    return log.isWarnEnabled();
  }

  @Override
  public boolean isInfoEnabled() {
    return log.isInfoEnabled();
  }

  @Override
  public boolean isDebugEnabled() {
    return log.isDebugEnabled();
  }

  @Override
  public void notifyError(String message) {
    log.error("{}", message);
  }

  @Override
  public void notifyError(Throwable cause, String message) {
    log.error(message, cause);
  }

  @Override
  public void notifyWarning(String message) {
    if (!message.startsWith("Sending an 2xx 'early' response")) {
      log.warn("{}", message);
    }
  }

  @Override
  public void notifyInfo(String message) {
    log.info("{}", message);
  }

  @Override
  public void notifyDebug(String message) {
    log.debug("{}", message);
  }
}
