package io.troupe.executor.supervision;

import io.troupe.protocol.Assignment;
import io.troupe.protocol.AttemptRef;
import io.troupe.protocol.Outcome;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Which worker gets which job: first come, first served; a job that must find its process idle
 * makes those behind it wait. Knows all attempts that the supervisor holds. Not thread-safe.
 */
final class JobDesk {
  /**
   * When all workers have run long jobs for so many looks, what waits goes back to the queue, for
   * other supervisors: that costs more than a short wait is worth.
   */
  static final int PATIENT_LOOKS = 3;

  /** A worker that gives nothing back is asked again for no more than so many looks. */
  private static final int MOST_LONG_LOOKS = 1000;

  /** So many bytes of results at least has a process room for before it has to wait. */
  private static final int RESULTS_UNREAD = 64 << 10;

  private static final int RESULTS_AVERAGED = 10;

  /** What waits at one worker is had back for another one that has nothing if it takes so long. */
  private static final Duration WORTH_SHARING = Duration.ofMillis(20);

  private final Deque<Assignment> waiting = new ArrayDeque<>();
  private final Set<AttemptRef> held = new HashSet<>();

  /** Why a worker is asked for what waits there. */
  private enum Question {
    /** It waits behind a long job. */
    LONG,
    /** Another worker has nothing to do. */
    IDLE_OTHER
  }

  /** What a worker has. */
  private static final class Place {
    /** How many it runs at once. */
    final int width;

    /** In the order in which it begins them. */
    final Set<AttemptRef> jobs = new LinkedHashSet<>();

    /** Whether it has begun or ended one since the last look. */
    boolean moved;

    /**
     * For how many looks in a row it has run all it can run and ended none of them from one look to
     * the next.
     */
    int longLooks;

    /** After so many of these it is asked, again, for what waits there. */
    int nextQuestion = 1;

    /** It was asked since the last look for what waits there, and has not given it back. */
    @Nullable Question asked;

    Place(int width) {
      this.width = width;
    }

    List<AttemptRef> running() {
      return jobs.stream().limit(width).toList();
    }

    boolean isLong() {
      return longLooks > 0;
    }

    /** Whether jobs wait there that can be had back; only one that runs one at a time gives any. */
    boolean keepsJobsBack() {
      return isLong() && hasJobsBehind();
    }

    boolean hasJobsBehind() {
      return width == 1 && behind() > 0 && longLooks <= MOST_LONG_LOOKS;
    }

    int behind() {
      return jobs.size() - width;
    }

    /** Whether it is time to ask for them; it is again after twice as many looks. */
    boolean isToBeAsked() {
      if (!keepsJobsBack() || longLooks < nextQuestion) {
        return false;
      }
      nextQuestion = 2 * longLooks;
      asked = Question.LONG;
      return true;
    }

    void add(AttemptRef job) {
      moved |= jobs.size() < width;
      jobs.add(job);
    }
  }

  /** Ready workers. */
  private final Map<String, Place> ready = new LinkedHashMap<>();

  /** Workers that take no more, but still have some. */
  private final Map<String, Place> leaving = new LinkedHashMap<>();

  /** Attempts whose payload is on its way here. */
  private final Map<AttemptRef, Assignment> coming = new HashMap<>();

  /** Attempts that have run and whose result is on its way to the scheduler. */
  private final Set<AttemptRef> going = new HashSet<>();

  /** Attempts that were cancelled when a worker had them. */
  private final Set<AttemptRef> unwanted = new HashSet<>();

  private RunTime runTime = RunTime.UNKNOWN;

  /** A moving average. */
  private double resultBytes;

  /** The worker takes jobs from now on, and runs so many at once. */
  void ready(String worker, int width) {
    Place place = leaving.remove(worker);
    ready.putIfAbsent(worker, place == null ? new Place(width) : place);
  }

  /** The worker takes no jobs for now; those it has are its own until it settles them. */
  void unready(String worker) {
    Place place = ready.remove(worker);
    if (place != null && !place.jobs.isEmpty()) {
      leaving.put(worker, place);
    }
  }

  /** Takes jobs, except those it holds already. */
  void take(List<Assignment> jobs) {
    for (Assignment job : jobs) {
      if (held.add(job.ref())) {
        waiting.addLast(job);
      }
    }
  }

  /** The job will be here when its payload is; false when it is held already. */
  boolean expect(Assignment job) {
    if (!held.add(job.ref())) {
      return false;
    }
    coming.put(job.ref(), job);
    return true;
  }

  /** The payload is here; false when the job has been withdrawn meanwhile. */
  boolean arrived(Assignment job) {
    if (coming.remove(job.ref()) == null) {
      return false;
    }
    waiting.addLast(job);
    return true;
  }

  /** The payload does not come; false when the job has been withdrawn meanwhile. */
  boolean missed(AttemptRef job) {
    return coming.remove(job) != null && held.remove(job);
  }

  /** The attempt has run, but is held until its result is with the scheduler. */
  void keepUntilGone(AttemptRef job) {
    held.add(job);
    going.add(job);
  }

  /** The result is with the scheduler, or nowhere. */
  void gone(AttemptRef job) {
    held.remove(job);
    going.remove(job);
  }

  /** Hands out what can be handed out: batches by worker. */
  Map<String, List<Assignment>> place() {
    Map<String, List<Assignment>> batches = new LinkedHashMap<>();
    while (!waiting.isEmpty()) {
      Assignment job = waiting.getFirst();
      String worker = idlest(job.exclusive());
      if (worker == null) {
        break;
      }
      waiting.removeFirst();
      batches.computeIfAbsent(worker, key -> new ArrayList<>()).add(job);
      placeOf(worker).add(job.ref());
    }
    return batches;
  }

  /**
   * The ready worker with the fewest jobs, if it takes one more.
   *
   * @param atOnce whether it has to run the job at once
   */
  private @Nullable String idlest(boolean atOnce) {
    String found = null;
    int fewest = Integer.MAX_VALUE;
    for (Map.Entry<String, Place> entry : ready.entrySet()) {
      Place place = entry.getValue();
      int jobs = place.jobs.size();
      if (jobs < fewest && jobs < (atOnce ? place.width : depth(place))) {
        fewest = jobs;
        found = entry.getKey();
      }
    }
    return found;
  }

  /** How many jobs it should have: none waits there behind one that runs for long. */
  private int depth(Place place) {
    return place.isLong() ? place.width : runTime.depth(place.width);
  }

  /**
   * Looks which workers run long jobs. Each look sees what has ended since the last one, so they
   * should be farther apart than what is sent ahead takes.
   *
   * @return the jobs that no worker has been given, and that all would keep waiting; held no more
   */
  List<Assignment> look() {
    for (Place place : ready.values()) {
      boolean isLong = !place.moved && place.jobs.size() >= place.width;
      place.longLooks = isLong ? place.longLooks + 1 : 0;
      place.nextQuestion = isLong ? place.nextQuestion : 1;
      place.moved = false;
      place.asked = null;
    }
    return stranded();
  }

  private boolean areAllLongFor(int looks) {
    return ready.values().stream().allMatch(place -> place.longLooks >= looks);
  }

  /** The jobs that no worker has been given, and that all would keep waiting; held no more. */
  List<Assignment> stranded() {
    if (!areAllLongFor(PATIENT_LOOKS)) {
      return List.of();
    }
    List<Assignment> back = List.copyOf(waiting);
    back.forEach(job -> held.remove(job.ref()));
    waiting.clear();
    return back;
  }

  /**
   * Workers that are to be asked now for what they have been sent behind a long job. One that gives
   * nothing back, as that job listens to nothing, is asked again after twice as many looks, and
   * after some time no more.
   */
  List<String> recall() {
    if (areAllLongFor(1) && !areAllLongFor(PATIENT_LOOKS)) {
      return List.of();
    }
    return ready.entrySet().stream()
        .filter(entry -> entry.getValue().isToBeAsked())
        .map(Map.Entry::getKey)
        .toList();
  }

  /**
   * The worker that is to be asked now for what waits there, as another one has nothing to do: the
   * one where most waits, if that is worth it. What is sent ahead is not used up evenly: at the end
   * of many jobs one worker would have a tenth of a second of them left. It is to be asked again as
   * long as it does not answer: a question that comes between two jobs is not heard.
   */
  Optional<String> share() {
    if (!waiting.isEmpty() || ready.values().stream().noneMatch(place -> place.jobs.isEmpty())) {
      return Optional.empty();
    }
    Map.Entry<String, Place> most =
        Collections.max(
            ready.entrySet(), Comparator.comparingInt(entry -> entry.getValue().behind()));
    Place place = most.getValue();
    if (!place.hasJobsBehind()
        || place.isLong()
        || runTime.of(place.behind()).compareTo(WORTH_SHARING) < 0) {
      return Optional.empty();
    }
    place.asked = Question.IDLE_OTHER;
    return Optional.of(most.getKey());
  }

  /** Whether there are jobs, or may soon be, that wait behind one which is long or may be. */
  boolean isWorthALook() {
    return !waiting.isEmpty()
        || ready.values().stream()
            .anyMatch(place -> !place.jobs.isEmpty() && depth(place) > place.width)
        || !withJobsBehind().isEmpty();
  }

  /** Workers that run one job at a time and have others behind it, unless it has run for ages. */
  List<String> withJobsBehind() {
    return Stream.concat(ready.entrySet().stream(), leaving.entrySet().stream())
        .filter(entry -> entry.getValue().hasJobsBehind())
        .map(Map.Entry::getKey)
        .toList();
  }

  /** The worker is through with these, and goes on. */
  void settled(String worker, List<Outcome> outcomes) {
    Place place = placeOf(worker);
    place.moved = true;
    place.longLooks = 0;
    forget(worker, place, outcomes);
  }

  private void forget(String worker, Place place, List<Outcome> outcomes) {
    for (Outcome outcome : outcomes) {
      AttemptRef ref = outcome.ref();
      held.remove(ref);
      unwanted.remove(ref);
      place.jobs.remove(ref);
      resultBytes += (outcome.body().length - resultBytes) / RESULTS_AVERAGED;
    }
    if (place.jobs.isEmpty()) {
      leaving.remove(worker);
    }
    runTime = runTime.with(outcomes);
  }

  /**
   * The worker has given back what waited there behind a job, which runs on: it is the next to be
   * handed out.
   *
   * @param outcomes of jobs that it is through with
   * @return those that were cancelled meanwhile; held no more
   */
  List<Assignment> returned(String worker, List<Assignment> jobs, List<Outcome> outcomes) {
    Place place = placeOf(worker);
    List<Assignment> cancelled = new ArrayList<>();
    for (int i = jobs.size() - 1; i >= 0; i--) {
      Assignment job = jobs.get(i);
      place.jobs.remove(job.ref());
      if (unwanted.remove(job.ref())) {
        held.remove(job.ref());
        cancelled.add(job);
      } else {
        waiting.addFirst(job);
      }
    }
    if (place.asked != Question.IDLE_OTHER) {
      place.moved = false;
      place.longLooks = Math.max(1, place.longLooks);
    }
    place.asked = null;
    forget(worker, place, outcomes);
    return cancelled;
  }

  /** Whether the worker has something to go on with. */
  boolean hasMore(String worker) {
    Place place = ready.get(worker);
    return place != null && place.jobs.size() >= place.width;
  }

  /**
   * Whether the worker has more at hand than half of what it should have: news of it can wait for
   * company, as no process waits for what they bring.
   */
  boolean hasPlenty(String worker) {
    Place place = ready.get(worker);
    return place != null && place.jobs.size() > place.width && 2 * place.jobs.size() > depth(place);
  }

  /**
   * For how long no worker will run out of jobs, nor of room for results that nobody reads, as far
   * as can be told: the shortest time that what waits at one of them takes. None where one may just
   * be giving back what waits there.
   */
  Duration slack() {
    if (ready.isEmpty() || !leaving.isEmpty()) {
      return Duration.ZERO;
    }
    int fewest = Integer.MAX_VALUE;
    for (Place place : ready.values()) {
      boolean isToSpeak = place.isLong() || place.asked != null;
      fewest = Math.min(fewest, isToSpeak ? 0 : place.behind() / place.width);
    }
    int withRoom = (int) (RESULTS_UNREAD / Math.max(1, resultBytes));
    return runTime.of(Math.max(0, Math.min(fewest, withRoom)));
  }

  private Place placeOf(String worker) {
    Place place = ready.get(worker);
    return place == null ? leaving.computeIfAbsent(worker, key -> new Place(1)) : place;
  }

  /**
   * Takes those of these attempts that no worker has been given out of the queue, also when a
   * worker gives them back later.
   */
  List<Assignment> withdraw(List<AttemptRef> attempts) {
    attempts.stream().filter(each -> workerOf(each).isPresent()).forEach(unwanted::add);
    return withdrawIf(new HashSet<>(attempts));
  }

  /** Takes all that no worker has been given out of the queue. */
  List<Assignment> withdrawAll() {
    List<Assignment> all = new ArrayList<>(waiting);
    all.addAll(coming.values());
    all.forEach(job -> held.remove(job.ref()));
    waiting.clear();
    coming.clear();
    return all;
  }

  private List<Assignment> withdrawIf(Set<AttemptRef> wanted) {
    List<Assignment> withdrawn = new ArrayList<>();
    for (AttemptRef each : wanted) {
      Assignment job = coming.remove(each);
      if (job != null) {
        held.remove(each);
        withdrawn.add(job);
      }
    }
    for (Iterator<Assignment> jobs = waiting.iterator(); jobs.hasNext(); ) {
      Assignment job = jobs.next();
      if (wanted.contains(job.ref())) {
        jobs.remove();
        held.remove(job.ref());
        withdrawn.add(job);
      }
    }
    return withdrawn;
  }

  /** How many attempts this supervisor is ready to hold in all. */
  int capacity() {
    int inReserve = leaving.values().stream().mapToInt(place -> place.jobs.size()).sum();
    inReserve += going.size();
    // The next payload comes while one that has come is worked on.
    inReserve += Math.min(coming.size(), ready.size());
    int room = 0;
    for (Place place : ready.values()) {
      room += depth(place);
    }
    return room == 0 ? 0 : room + inReserve;
  }

  /** All attempts it holds. */
  List<AttemptRef> held() {
    return List.copyOf(held);
  }

  /** Those that run: the first of each worker. */
  List<AttemptRef> running() {
    List<AttemptRef> running = new ArrayList<>();
    ready.values().forEach(place -> running.addAll(place.running()));
    leaving.values().forEach(place -> running.addAll(place.running()));
    return running;
  }

  /** Ids of the jobs that the worker runs, the one that began first before the others. */
  List<String> runningOn(String worker) {
    Place place = ready.containsKey(worker) ? ready.get(worker) : leaving.get(worker);
    return place == null ? List.of() : place.running().stream().map(AttemptRef::job).toList();
  }

  /** The worker that has been given this attempt. */
  Optional<String> workerOf(AttemptRef attempt) {
    return Stream.concat(ready.entrySet().stream(), leaving.entrySet().stream())
        .filter(entry -> entry.getValue().jobs.contains(attempt))
        .findFirst()
        .map(Map.Entry::getKey);
  }

  /** Whether any worker takes jobs. */
  boolean anyReady() {
    return !ready.isEmpty();
  }
}
