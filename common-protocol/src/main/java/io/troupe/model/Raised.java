package io.troupe.model;

/**
 * The exception of a job's function, so that a client in the same language can raise it again.
 *
 * @param type the name of its class, inner classes with dots
 * @param module where the class is
 * @param message the exception's text
 * @param args what it was made with, as a JSON array; empty where JSON cannot say it
 */
public record Raised(String type, String module, String message, String args) {}
