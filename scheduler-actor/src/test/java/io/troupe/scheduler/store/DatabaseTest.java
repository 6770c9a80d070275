package io.troupe.scheduler.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class DatabaseTest {
  @Test
  void one_whose_connections_are_all_in_use_is_not_taken_for_gone(@TempDir Path folder)
      throws SQLException {
    try (Database database = Database.inFolder(folder)) {
      List<Connection> inUse = new ArrayList<>();
      assertThatThrownBy(
              () -> {
                while (true) {
                  inUse.add(database.connect());
                }
              })
          .isInstanceOf(SQLTransientConnectionException.class);
      inUse.remove(0).close();
      try (Connection free = database.connect()) {
        assertThat(free.isValid(1)).isTrue();
      }
      for (Connection each : inUse) {
        each.close();
      }
    }
  }
}
