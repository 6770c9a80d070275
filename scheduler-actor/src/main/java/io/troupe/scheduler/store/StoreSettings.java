package io.troupe.scheduler.store;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;

/**
 * {@code troupe.store} of reference.conf.
 *
 * @param url where PostgreSQL is, as JDBC has it; empty for a file in the node's folder
 */
public record StoreSettings(String url, String user, String password) {

  public StoreSettings {
    if (!url.isEmpty() && !url.startsWith("jdbc:postgresql:")) {
      throw new ConfigException.BadValue(
          "troupe.store.url",
          "must be empty, or jdbc:postgresql://HOST:PORT/DATABASE: '" + url + "'");
    }
  }

  /** Reads them from the whole configuration. */
  public static StoreSettings from(Config root) {
    Config store = root.getConfig("troupe.store");
    return new StoreSettings(
        store.getString("url"), store.getString("user"), store.getString("password"));
  }

  @Override
  public String toString() {
    return "StoreSettings[url=" + url + ", user=" + user + "]";
  }
}
