package io.troupe.scheduler.cli;

import java.util.ArrayList;
import java.util.List;

/** Rows under a header, in columns as wide as their widest cell. Cells must not hold colour. */
final class Table {
  private static final String GAP = "  ";

  private final List<String> header;
  private final List<List<String>> rows = new ArrayList<>();

  Table(String... header) {
    this.header = List.of(header);
  }

  Table row(Object... cells) {
    List<String> row = new ArrayList<>();
    for (Object cell : cells) {
      row.add(String.valueOf(cell));
    }
    if (row.size() != header.size()) {
      throw new IllegalArgumentException("a row of " + row.size() + " under " + header);
    }
    rows.add(row);
    return this;
  }

  /** Prints the header and the rows, or {@code whenEmpty} where there are none. */
  void print(Terminal terminal, String whenEmpty) {
    if (rows.isEmpty()) {
      terminal.out().println(whenEmpty);
      return;
    }
    int[] widths = widths();
    boolean[] numbers = numbers();
    terminal.out().println(terminal.bold(line(header, widths, numbers)));
    for (List<String> row : rows) {
      terminal.out().println(line(row, widths, numbers));
    }
  }

  private int[] widths() {
    int[] widths = new int[header.size()];
    for (int column = 0; column < widths.length; column++) {
      widths[column] = header.get(column).length();
      for (List<String> row : rows) {
        widths[column] = Math.max(widths[column], row.get(column).length());
      }
    }
    return widths;
  }

  /** Columns that hold nothing but numbers stand at the right. */
  private boolean[] numbers() {
    boolean[] numbers = new boolean[header.size()];
    for (int column = 0; column < numbers.length; column++) {
      int index = column;
      numbers[column] =
          rows.stream().allMatch(row -> row.get(index).matches("[-+0-9.,%]+|-"))
              && rows.stream().anyMatch(row -> !row.get(index).equals("-"));
    }
    return numbers;
  }

  private static String line(List<String> cells, int[] widths, boolean[] numbers) {
    StringBuilder line = new StringBuilder();
    for (int column = 0; column < widths.length; column++) {
      String cell = cells.get(column);
      String padding = " ".repeat(widths[column] - cell.length());
      line.append(column == 0 ? "" : GAP);
      line.append(numbers[column] ? padding + cell : cell + padding);
    }
    return line.toString().stripTrailing();
  }
}
