package io.troupe.executor.channel;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;

/**
 * The payload of a HELLO frame.
 *
 * @param protocol version of the frames that the process speaks
 * @param pid its process id
 * @param token what it was given to prove which worker it is
 * @param python version of its interpreter; empty when it did not say
 * @param concurrency how many jobs it runs at once; 1 when it did not say
 */
@JsonIgnoreProperties(ignoreUnknown = true)
public record Hello(int protocol, long pid, String token, String python, int concurrency) {
  @SuppressWarnings("NullAway")
  public Hello {
    token = token == null ? "" : token;
    python = python == null ? "" : python;
    concurrency = Math.max(1, concurrency);
  }
}
