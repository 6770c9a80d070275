package io.troupe.scheduler.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.troupe.scheduler.pool.Store.StoreException;
import io.troupe.scheduler.store.Table.Column;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/** Reads what {@link DumpWriter} wrote. Whatever is wrong with it is told in one line. */
final class DumpReader implements Content, AutoCloseable {
  private static final int PIECE = 64 << 10;

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder().maxStringLength(Integer.MAX_VALUE).build())
          .build();

  private final Path path;
  private final ZipFile zip;
  private final JsonNode manifest;

  private DumpReader(Path path, ZipFile zip, JsonNode manifest) {
    this.path = path;
    this.zip = zip;
    this.manifest = manifest;
  }

  /**
   * Opens a dump and looks at its manifest.
   *
   * @throws StoreException when it is none that this program can read
   */
  static DumpReader open(Path path) {
    try {
      ZipFile zip = new ZipFile(path.toFile());
      try {
        ZipEntry entry = zip.getEntry(DumpWriter.MANIFEST);
        if (entry == null) {
          throw new IOException("it has no " + DumpWriter.MANIFEST);
        }
        JsonNode manifest;
        try (InputStream in = zip.getInputStream(entry)) {
          manifest = new ObjectMapper().readTree(in);
        }
        if (manifest.path("format").asInt() != DumpWriter.FORMAT) {
          throw new IOException(
              "its format is %s, and this program reads %d"
                  .formatted(manifest.path("format").asText("unknown"), DumpWriter.FORMAT));
        }
        return new DumpReader(path, zip, manifest);
      } catch (IOException | RuntimeException e) {
        zip.close();
        throw e;
      }
    } catch (IOException | IllegalArgumentException e) {
      throw notWhole(path, e.getMessage(), e);
    }
  }

  private static StoreException notWhole(Path path, @Nullable String why, Exception cause) {
    return new StoreException(
        path
            + " is no backup that can be restored, or not all of it: "
            + String.valueOf(why).lines().findFirst().orElse("")
            + "; use another copy",
        cause);
  }

  private StoreException damaged(String what) {
    return notWhole(path, what + " is damaged", new IOException(what));
  }

  /** Reads all of it and compares it with the manifest. */
  void check(CopyProgress progress) {
    long all = tables().stream().mapToLong(this::rows).sum();
    long done = 0;
    TreeMap<String, Digest> groups = new TreeMap<>();
    TreeMap<String, Integer> counts = new TreeMap<>();
    for (ZipEntry entry : entries()) {
      String name = entry.getName();
      if (name.equals(DumpWriter.MANIFEST)) {
        continue;
      }
      if (name.startsWith(DumpWriter.TABLES)) {
        JsonNode said = manifest.path("tables").path(table(name));
        Digest digest = new Digest();
        digest(entry, digest);
        if (said.path("bytes").asLong(-1) != digest.bytes()
            || !said.path("sha256").asText().equals(digest.hex())) {
          throw damaged(name);
        }
        done += said.path("rows").asLong();
      } else {
        String group = name.substring(0, Math.max(0, name.indexOf('/')));
        Digest digest = groups.computeIfAbsent(group, first -> new Digest());
        byte[] title = (name.substring(group.length() + 1) + "\n").getBytes(UTF_8);
        digest.add(title, 0, title.length);
        digest(entry, digest);
        counts.merge(group, 1, Integer::sum);
      }
      progress.at("rows checked", done, all);
    }
    for (String table : tables()) {
      if (zip.getEntry(DumpWriter.TABLES + table + DumpWriter.ROWS) == null) {
        throw damaged("table " + table);
      }
    }
    List<String> said = new ArrayList<>();
    manifest.path("files").fieldNames().forEachRemaining(said::add);
    if (!groups.keySet().equals(new java.util.TreeSet<>(said))) {
      throw damaged("the list of files");
    }
    groups.forEach(
        (group, digest) -> {
          JsonNode expected = manifest.path("files").path(group);
          if (expected.path("files").asInt() != counts.getOrDefault(group, 0)
              || expected.path("bytes").asLong() != digest.bytes()
              || !expected.path("sha256").asText().equals(digest.hex())) {
            throw damaged(group);
          }
        });
  }

  private List<ZipEntry> entries() {
    return zip.stream().<ZipEntry>map(entry -> entry).toList();
  }

  private static String table(String entry) {
    return entry.substring(DumpWriter.TABLES.length()).replace(DumpWriter.ROWS, "");
  }

  private void digest(ZipEntry entry, Digest digest) {
    try (InputStream in = zip.getInputStream(entry)) {
      byte[] piece = new byte[PIECE];
      int length;
      while ((length = in.read(piece)) >= 0) {
        digest.add(piece, 0, length);
      }
    } catch (IOException e) {
      throw notWhole(path, entry.getName() + ": " + e.getMessage(), e);
    }
  }

  /** What the manifest says. */
  JsonNode manifest() {
    return manifest;
  }

  @Override
  public String schema() {
    return manifest.path("schema").asText();
  }

  @Override
  public List<String> tables() {
    List<String> names = new ArrayList<>();
    manifest.path("tables").fieldNames().forEachRemaining(names::add);
    return names;
  }

  @Override
  public long rows(String table) {
    return manifest.path("tables").path(table).path("rows").asLong();
  }

  @Override
  public void read(Table table, Sink sink) throws IOException {
    ZipEntry entry = zip.getEntry(DumpWriter.TABLES + table.name() + DumpWriter.ROWS);
    if (entry == null) {
      throw damaged("table " + table.name());
    }
    @Nullable Object[] values = new Object[table.columns().size()];
    try (InputStream in = zip.getInputStream(entry);
        JsonParser json = JSON.createParser(in)) {
      while (json.nextToken() != null) {
        Arrays.fill(values, null);
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          int index = table.indexOf(json.currentName());
          json.nextToken();
          if (index < 0) {
            throw damaged("table " + table.name() + ": column " + json.currentName());
          }
          values[index] = value(json, table.columns().get(index));
        }
        sink.row(values);
      }
    }
  }

  private static Object value(JsonParser json, Column column) throws IOException {
    return switch (column.kind()) {
      case TEXT -> json.getText();
      case NUMBER -> json.getLongValue();
      case FLAG -> json.getBooleanValue();
      case BYTES -> json.getBinaryValue();
    };
  }

  /** A file of a group, while it is handed over. */
  interface Found {
    void file(String name, InputStream content) throws IOException;
  }

  /** How many files a group has. */
  int files(String group) {
    return manifest.path("files").path(group).path("files").asInt();
  }

  /** Hands over all files of a group. */
  void files(String group, Found found) throws IOException {
    for (ZipEntry entry : entries()) {
      if (entry.getName().startsWith(group + "/")) {
        try (InputStream in = zip.getInputStream(entry)) {
          found.file(entry.getName().substring(group.length() + 1), in);
        }
      }
    }
  }

  @Override
  public void close() {
    try {
      zip.close();
    } catch (IOException e) {
      throw notWhole(path, e.getMessage(), e);
    }
  }
}
