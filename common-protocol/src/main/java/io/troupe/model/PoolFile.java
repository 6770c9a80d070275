package io.troupe.model;

/**
 * A file that the workers of a pool find in their working directory.
 *
 * @param name its name there, without folders
 * @param sha256 of its content, 64 lower-case hexadecimal digits
 */
public record PoolFile(String name, String sha256) {}
