package io.troupe.scheduler.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;

/**
 * Where a command prints. Text is UTF-8; colour and progress appear only on a terminal. {@code
 * bin/troupe} says by system properties which of the two streams is one, because Java cannot tell
 * them apart.
 *
 * @param out results
 * @param err errors and progress
 * @param outIsTerminal whether a person reads {@code out} directly
 * @param errIsTerminal whether a person reads {@code err} directly
 * @param width of the terminal in columns
 * @param unicode whether the terminal shows lines and bars that are not ASCII
 */
record Terminal(
    PrintStream out,
    PrintStream err,
    boolean outIsTerminal,
    boolean errIsTerminal,
    int width,
    boolean unicode) {

  static final ObjectMapper JSON =
      new ObjectMapper().disable(SerializationFeature.FAIL_ON_EMPTY_BEANS);

  static Terminal ofProcess(Map<String, String> environment) {
    return new Terminal(
        new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8),
        new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8),
        Boolean.getBoolean("troupe.stdout.terminal"),
        Boolean.getBoolean("troupe.stderr.terminal"),
        Integer.getInteger("troupe.terminal.width", 100),
        speaksUtf8(environment));
  }

  private static boolean speaksUtf8(Map<String, String> environment) {
    for (String variable : new String[] {"LC_ALL", "LC_CTYPE", "LANG"}) {
      String value = environment.getOrDefault(variable, "");
      if (!value.isEmpty()) {
        return value.toLowerCase(Locale.ROOT).replace("-", "").contains("utf8");
      }
    }
    return false;
  }

  /** One line of JSON on standard output. */
  void json(JsonNode value) {
    try {
      out.println(JSON.writeValueAsString(value));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a JSON tree that cannot be written", e);
    }
  }

  String bold(String text) {
    return colour("1", text);
  }

  String dim(String text) {
    return colour("2", text);
  }

  String red(String text) {
    return colour("31", text);
  }

  String green(String text) {
    return colour("32", text);
  }

  String yellow(String text) {
    return colour("33", text);
  }

  private String colour(String code, String text) {
    return outIsTerminal ? "\033[" + code + "m" + text + "\033[0m" : text;
  }
}
