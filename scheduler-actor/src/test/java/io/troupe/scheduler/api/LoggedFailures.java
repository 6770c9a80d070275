package io.troupe.scheduler.api;

import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.LoggerFactory;

/** Keeps what is logged with a stack trace, from when it is opened until it is closed. */
final class LoggedFailures extends AppenderBase<ILoggingEvent> implements AutoCloseable {
  private final List<String> failures = new CopyOnWriteArrayList<>();

  static LoggedFailures open() {
    LoggedFailures appender = new LoggedFailures();
    appender.setContext((LoggerContext) LoggerFactory.getILoggerFactory());
    appender.start();
    root().addAppender(appender);
    return appender;
  }

  private static ch.qos.logback.classic.Logger root() {
    return ((LoggerContext) LoggerFactory.getILoggerFactory())
        .getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
  }

  /** Each in one line. */
  List<String> all() {
    return failures;
  }

  @Override
  protected void append(ILoggingEvent event) {
    if (event.getThrowableProxy() != null) {
      failures.add(event + " " + event.getThrowableProxy().getMessage());
    }
  }

  @Override
  public void close() {
    root().detachAppender(this);
    stop();
  }
}
