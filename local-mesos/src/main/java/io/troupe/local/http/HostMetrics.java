package io.troupe.local.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.troupe.local.allocator.MesosResources;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Metrics of the machine, and of resources in use. */
final class HostMetrics {

  private HostMetrics() {}

  static void putResources(
      ObjectNode metrics, String prefix, MesosResources total, MesosResources used) {
    for (String name : List.of("cpus", "gpus", "mem", "disk")) {
      double all = total.scalar(name);
      double taken = used.scalar(name);
      metrics
          .put(prefix + "/" + name + "_total", all)
          .put(prefix + "/" + name + "_used", taken)
          .put(prefix + "/" + name + "_percent", all == 0 ? 0 : taken / all)
          .put(prefix + "/" + name + "_revocable_total", 0.0)
          .put(prefix + "/" + name + "_revocable_used", 0.0)
          .put(prefix + "/" + name + "_revocable_percent", 0.0);
    }
  }

  static void putSystem(ObjectNode metrics) {
    metrics.put("system/cpus_total", (double) Runtime.getRuntime().availableProcessors());
    try {
      String[] loads = Files.readString(Path.of("/proc/loadavg")).split(" ", -1);
      metrics
          .put("system/load_1min", Double.parseDouble(loads[0]))
          .put("system/load_5min", Double.parseDouble(loads[1]))
          .put("system/load_15min", Double.parseDouble(loads[2]));
      for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
        if (line.startsWith("MemTotal:")) {
          metrics.put("system/mem_total_bytes", kilobytes(line));
        } else if (line.startsWith("MemFree:")) {
          metrics.put("system/mem_free_bytes", kilobytes(line));
        }
      }
    } catch (IOException e) {
      metrics.put("system/load_1min", 0.0); // no /proc, no figures
    }
  }

  private static double kilobytes(String line) {
    return Double.parseDouble(line.replaceAll("[^0-9]", "")) * 1024;
  }
}
