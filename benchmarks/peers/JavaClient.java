import io.troupe.client.JobOptions;
import io.troupe.client.MapResult;
import io.troupe.client.MapResults;
import io.troupe.client.TroupeClient;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Runs maps that it is told of, a line each: function and number of jobs. Its arguments are numbers
 * for noop and texts of 1 KiB for echo, which gives them back with the first letter last. Says done when each result was compared with what was sent,
 * under an index and a job of its own.
 */
final class JavaClient {
  private static final int TEXTS = 256;

  public static void main(String[] words) throws Exception {
    String[] texts = new String[TEXTS];
    Random random = new Random(1);
    for (int i = 0; i < TEXTS; i++) {
      StringBuilder text = new StringBuilder();
      while (text.length() < 1024) {
        text.append(Long.toHexString(random.nextLong() | Long.MIN_VALUE));
      }
      texts[i] = text.toString();
    }
    BufferedReader orders = new BufferedReader(new InputStreamReader(System.in));
    try (TroupeClient client = TroupeClient.at(words[0])) {
      System.out.println("ready");
      String order;
      while ((order = orders.readLine()) != null) {
        String function = order.split(" ")[0];
        int count = Integer.parseInt(order.split(" ")[1]);
        System.out.println(
            function.equals("noop")
                ? run(client, words[1], function, count, Integer.class, i -> i, i -> i)
                : run(
                    client,
                    words[1],
                    function,
                    count,
                    String.class,
                    i -> texts[i % TEXTS],
                    i -> texts[i % TEXTS].substring(1) + texts[i % TEXTS].charAt(0)));
      }
    }
  }

  private interface Value<R> {
    R of(int index);
  }

  private static <R> String run(
      TroupeClient client,
      String pool,
      String function,
      int count,
      Class<R> type,
      Value<R> argument,
      Value<R> expected) {
    Iterator<R> all = IntStream.range(0, count).mapToObj(argument::of).iterator();
    Set<String> ids = new HashSet<>(count * 2);
    boolean[] seen = new boolean[count];
    try (MapResults<R> results = client.map(pool, function, all, type, JobOptions.DEFAULT)) {
      while (results.hasNext()) {
        MapResult<R> result = results.next();
        int index = (int) result.index();
        if (seen[index] || !ids.add(result.id()) || !expected.of(index).equals(result.get())) {
          return "wrong result of job " + result.id();
        }
        seen[index] = true;
      }
    } catch (RuntimeException e) {
      return String.valueOf(e).lines().findFirst().orElse("failed");
    }
    return ids.size() == count ? "done" : ids.size() + " results of " + count;
  }
}
