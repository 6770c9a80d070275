package io.troupe.scheduler.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.troupe.model.PoolSecret;
import io.troupe.model.PoolSpec;
import io.troupe.scheduler.pool.Store;
import io.troupe.scheduler.pool.Store.Change;
import io.troupe.scheduler.pool.Store.Saved;
import io.troupe.scheduler.pool.Store.SavedPool;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The secrets of pools: read from their files, kept in memory alone, given to whom shows the token
 * of their pool. The store has their names, files and versions. A version is a hash with a salt
 * that is in a file of the node's folder, so that nobody who sees it can try out what a secret
 * might be. Thread-safe; the calls do blocking I/O.
 */
public final class Secrets {
  private static final Logger log = LoggerFactory.getLogger(Secrets.class);
  private static final String HASH = "HmacSHA256";
  private static final int KEY_BYTES = 32;
  private static final int VERSION_DIGITS = 32;

  /** Workers of the version before may yet have to start again. */
  private static final int VERSIONS_KEPT = 2;

  /** The largest secret, in bytes. */
  static final int LARGEST = 1 << 20;

  private record Place(String pool, String name) {}

  private final Path folder;
  private final byte[] salt;
  private final byte[] tokenKey = random();
  private final Map<Place, String> files = new HashMap<>();
  private final Map<Place, LinkedHashMap<String, byte[]>> contents = new HashMap<>();

  private Secrets(Path folder, byte[] salt) {
    this.folder = folder;
    this.salt = salt;
  }

  /**
   * A secret that cannot be used; the message is one line that says what is wrong with its file.
   */
  public static final class InvalidSecretException extends IllegalArgumentException {
    InvalidSecretException(String message) {
      super(message);
    }
  }

  /**
   * Those of a node.
   *
   * @param folder where the salt is, or will be
   * @throws IOException if that can be neither read nor made
   */
  public static Secrets open(Path folder) throws IOException {
    Path file = folder.resolve("secrets.salt");
    Files.createDirectories(folder);
    if (!Files.exists(file)) {
      Path written =
          Files.createTempFile(
              folder,
              "secrets-",
              ".salt",
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      Files.write(written, random(), StandardOpenOption.SYNC);
      Files.move(written, file);
    }
    return new Secrets(folder.toRealPath(), Files.readAllBytes(file));
  }

  private static byte[] random() {
    byte[] bytes = new byte[KEY_BYTES];
    new SecureRandom().nextBytes(bytes);
    return bytes;
  }

  /**
   * Reads the secrets of a pool and keeps them.
   *
   * @return the pool with the versions that they have
   * @throws InvalidSecretException when one of them cannot be used
   */
  public PoolSpec taken(PoolSpec spec) {
    List<PoolSecret> found = new ArrayList<>();
    List<byte[]> read = new ArrayList<>();
    for (PoolSecret secret : spec.secrets()) {
      byte[] content = read(secret.name(), secret.file());
      read.add(content);
      found.add(secret.withVersion(version(spec.name(), secret.name(), content)));
    }
    for (int i = 0; i < found.size(); i++) {
      keep(spec.name(), found.get(i), read.get(i));
    }
    return spec.withSecrets(found);
  }

  private synchronized void keep(String pool, PoolSecret secret, byte[] content) {
    Place place = new Place(pool, secret.name());
    files.put(place, secret.file());
    LinkedHashMap<String, byte[]> versions =
        contents.computeIfAbsent(place, each -> new LinkedHashMap<>());
    versions.remove(secret.version());
    versions.put(secret.version(), content);
    Iterator<String> oldest = versions.keySet().iterator();
    while (versions.size() > VERSIONS_KEPT) {
      oldest.next();
      oldest.remove();
    }
  }

  /**
   * The pools of a store as their secrets are now: one that was changed while no scheduler ran is a
   * changed pool, and is written. A secret that cannot be read is told in the log; it is tried
   * again when an executor asks for it.
   */
  public Saved refreshed(Saved saved, Store store) {
    List<SavedPool> pools = new ArrayList<>();
    List<Change> changes = new ArrayList<>();
    for (SavedPool pool : saved.pools()) {
      SavedPool now = pool;
      try {
        now = new SavedPool(taken(pool.spec()), pool.draining());
      } catch (InvalidSecretException e) {
        log.warn("Pool {}: {}", pool.spec().name(), e.getMessage());
        remember(pool.spec());
      }
      pools.add(now);
      if (!now.equals(pool)) {
        log.info("Secrets of pool {} have changed", pool.spec().name());
        changes.add(new Store.PoolSaved(now));
      }
    }
    if (!changes.isEmpty()) {
      store.write(changes);
    }
    return new Saved(
        saved.frameworkId(), saved.lastLaunch(), pools, saved.workers(), saved.executors());
  }

  private synchronized void remember(PoolSpec spec) {
    spec.secrets()
        .forEach(secret -> files.put(new Place(spec.name(), secret.name()), secret.file()));
  }

  /** There is no such pool any more. */
  public synchronized void forget(String pool) {
    files.keySet().removeIf(place -> place.pool().equals(pool));
    contents.keySet().removeIf(place -> place.pool().equals(pool));
  }

  /** The secret, if it is, or its file still holds, this version. */
  public Optional<byte[]> find(String pool, String name, String version) {
    Place place = new Place(pool, name);
    String file;
    synchronized (this) {
      byte[] kept = contents.getOrDefault(place, new LinkedHashMap<>()).get(version);
      file = files.get(place);
      if (kept != null || file == null) {
        return Optional.ofNullable(kept);
      }
    }
    try {
      byte[] content = read(name, file);
      if (version(pool, name, content).equals(version)) {
        keep(pool, new PoolSecret(name, file, version), content);
        return Optional.of(content);
      }
    } catch (InvalidSecretException e) {
      log.warn("Pool {}: {}", pool, e.getMessage());
    }
    return Optional.empty();
  }

  /**
   * What executors of the pool show to get its secrets; another one with each start of the node.
   */
  public String token(String pool) {
    return HexFormat.of().formatHex(hash(tokenKey, pool.getBytes(UTF_8)));
  }

  /** Whether this is the token of the pool. */
  public boolean isToken(String pool, String shown) {
    return MessageDigest.isEqual(token(pool).getBytes(UTF_8), shown.getBytes(UTF_8));
  }

  private String version(String pool, String name, byte[] content) {
    byte[] hash = hash(salt, (pool + "\n" + name + "\n").getBytes(UTF_8), content);
    return HexFormat.of().formatHex(hash).substring(0, VERSION_DIGITS);
  }

  private static byte[] hash(byte[] key, byte[]... parts) {
    try {
      Mac mac = Mac.getInstance(HASH);
      mac.init(new SecretKeySpec(key, HASH));
      for (byte[] part : parts) {
        mac.update(part);
      }
      return mac.doFinal();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java has " + HASH, e);
    }
  }

  private byte[] read(String name, String path) {
    Path file = named(name, path);
    try {
      Path real = file.toRealPath();
      if (real.startsWith("/proc") || real.startsWith("/sys") || real.startsWith(folder)) {
        throw invalid(name, file + " is not for pools: it is the system's, or the scheduler's own");
      }
      check(name, real);
      byte[] content;
      try (InputStream in = Files.newInputStream(real)) {
        content = in.readNBytes(LARGEST + 1);
      }
      if (content.length == 0) {
        throw invalid(name, file + " is empty");
      }
      if (content.length > LARGEST) {
        throw invalid(name, file + " has more than 1 MiB");
      }
      return content;
    } catch (NoSuchFileException | NotDirectoryException e) {
      throw invalid(name, "there is no file " + file + " on the scheduler's machine");
    } catch (AccessDeniedException e) {
      throw invalid(
          name,
          file + " cannot be read by the scheduler's user " + System.getProperty("user.name"));
    } catch (IOException e) {
      throw invalid(name, file + " cannot be read: " + e.getMessage());
    }
  }

  private static Path named(String name, String path) {
    try {
      return Path.of(path);
    } catch (InvalidPathException e) {
      throw invalid(name, "its file has a name that cannot be here: " + e.getReason());
    }
  }

  /** What any user may read is no secret, and what another may change is not the user's own. */
  private static void check(String name, Path file) throws IOException {
    PosixFileAttributes attributes = Files.readAttributes(file, PosixFileAttributes.class);
    if (!attributes.isRegularFile()) {
      throw invalid(name, file + " is not a file");
    }
    Set<PosixFilePermission> permissions = attributes.permissions();
    for (PosixFilePermission loose :
        List.of(
            PosixFilePermission.OTHERS_READ,
            PosixFilePermission.OTHERS_WRITE,
            PosixFilePermission.GROUP_WRITE)) {
      if (permissions.contains(loose)) {
        throw invalid(
            name,
            "too many users may use "
                + file
                + " ("
                + PosixFilePermissions.toString(permissions)
                + "): chmod 600 "
                + file);
      }
    }
    int owner = (Integer) Files.getAttribute(file, "unix:uid");
    if (owner != 0 && owner != (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid")) {
      throw invalid(
          name,
          file
              + " belongs to "
              + attributes.owner().getName()
              + ": it must be the scheduler's user "
              + System.getProperty("user.name")
              + ", or root");
    }
  }

  private static InvalidSecretException invalid(String name, String why) {
    return new InvalidSecretException("secret " + name + ": " + why);
  }
}
