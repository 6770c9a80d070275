package io.troupe.executor.mesos;

import com.google.protobuf.ByteString;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.mesos.v1.Protos.TaskID;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.apache.mesos.v1.executor.Protos.Call;

/**
 * What a new subscription must repeat: tasks of which no update has been acknowledged, and updates
 * that have not been. Thread-safe.
 */
final class Unacknowledged {
  private final Map<TaskID, TaskInfo> tasks = new LinkedHashMap<>();
  private final Map<ByteString, Call.Update> updates = new LinkedHashMap<>();

  synchronized void launched(TaskInfo task) {
    tasks.put(task.getTaskId(), task);
  }

  synchronized void sent(Call.Update update) {
    updates.put(update.getStatus().getUuid(), update);
  }

  synchronized void acknowledged(TaskID task, ByteString uuid) {
    updates.remove(uuid);
    tasks.remove(task);
    notifyAll();
  }

  synchronized boolean isWaiting(ByteString uuid) {
    return updates.containsKey(uuid);
  }

  synchronized Call.Subscribe subscribe() {
    return Call.Subscribe.newBuilder()
        .addAllUnacknowledgedTasks(tasks.values())
        .addAllUnacknowledgedUpdates(updates.values())
        .build();
  }

  /** Waits until every update is acknowledged; false when that took longer. */
  synchronized boolean await(long millis) throws InterruptedException {
    long end = System.nanoTime() + millis * 1_000_000;
    while (!updates.isEmpty()) {
      long left = (end - System.nanoTime()) / 1_000_000;
      if (left <= 0) {
        return false;
      }
      wait(left);
    }
    return true;
  }
}
