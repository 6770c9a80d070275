package io.troupe.protocol;

import com.fasterxml.jackson.annotation.JsonFormat;

/**
 * One try of a job; the fence: a result counts only while its attempt is the job's current one.
 *
 * @param job the job's id
 * @param attempt its number, from 1
 */
@JsonFormat(shape = JsonFormat.Shape.ARRAY)
public record AttemptRef(String job, int attempt) {}
