package io.troupe.scheduler.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.scheduler.store.Table.Column;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * Writes a dump: a zip with a table in each {@code tables/NAME.ndjson}, a row a line, files beside
 * them, and as the last entry {@code manifest.json}, which counts and checks all of it. A dump
 * without that entry is not whole.
 */
final class DumpWriter {
  /** The version of this arrangement. */
  static final int FORMAT = 1;

  static final String MANIFEST = "manifest.json";
  static final String TABLES = "tables/";
  static final String ROWS = ".ndjson";

  // Whatever a text is made of, halves of characters too, comes back as it was.
  private static final JsonFactory JSON =
      JsonFactory.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

  private final ZipOutputStream zip;
  private final ObjectNode manifest;
  private final Map<String, Digest> groups = new HashMap<>();
  private final Map<String, Integer> files = new HashMap<>();

  /**
   * Begins a dump.
   *
   * @param about what the manifest says of its origin
   */
  DumpWriter(OutputStream out, ObjectNode about) {
    zip = new ZipOutputStream(out);
    zip.setLevel(Deflater.BEST_SPEED);
    manifest = JsonNodeFactory.instance.objectNode().put("format", FORMAT).setAll(about);
    manifest.putObject("tables");
    manifest.putObject("files");
  }

  /** Writes a table; {@code also} sees each row. */
  void table(Table table, Content content, Content.Sink also) throws IOException {
    zip.putNextEntry(new ZipEntry(TABLES + table.name() + ROWS));
    Digest digest = new Digest();
    long[] rows = {0};
    try (JsonGenerator json = JSON.createGenerator(new Digesting(zip, digest))) {
      json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
      json.setRootValueSeparator(null);
      content.read(
          table,
          values -> {
            json.writeStartObject();
            for (int i = 0; i < values.length; i++) {
              field(json, table.columns().get(i), values[i]);
            }
            json.writeEndObject();
            json.writeRaw('\n');
            rows[0]++;
            also.row(values);
          });
    }
    zip.closeEntry();
    manifest
        .withObject("/tables")
        .putObject(table.name())
        .put("rows", rows[0])
        .put("bytes", digest.bytes())
        .put("sha256", digest.hex());
  }

  private static void field(JsonGenerator json, Column column, @Nullable Object value)
      throws IOException {
    if (value == null) {
      return;
    }
    json.writeFieldName(column.name());
    switch (column.kind()) {
      case TEXT -> json.writeString((String) value);
      case NUMBER -> json.writeNumber((Long) value);
      case FLAG -> json.writeBoolean((Boolean) value);
      case BYTES -> json.writeBinary((byte[]) value);
    }
  }

  /** Writes a file into a group, such as {@code blobs}. */
  void file(String group, String name, Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      Digest digest = groups.computeIfAbsent(group, first -> new Digest());
      byte[] title = (name + "\n").getBytes(UTF_8);
      digest.add(title, 0, title.length);
      zip.putNextEntry(new ZipEntry(group + "/" + name));
      in.transferTo(new Digesting(zip, digest));
      zip.closeEntry();
      files.merge(group, 1, Integer::sum);
    }
  }

  /** Writes the manifest: the dump is whole. */
  void finish() throws IOException {
    groups.forEach(
        (group, digest) ->
            manifest
                .withObject("/files")
                .putObject(group)
                .put("files", files.getOrDefault(group, 0))
                .put("bytes", digest.bytes())
                .put("sha256", digest.hex()));
    zip.putNextEntry(new ZipEntry(MANIFEST));
    zip.write(new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsBytes(manifest));
    zip.closeEntry();
    zip.finish();
    zip.flush();
  }

  /** Passes on what it also adds to a digest. */
  private static final class Digesting extends FilterOutputStream {
    private final Digest digest;

    Digesting(OutputStream out, Digest digest) {
      super(out);
      this.digest = digest;
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] piece, int from, int length) throws IOException {
      digest.add(piece, from, length);
      out.write(piece, from, length);
    }
  }
}
