package io.troupe.scheduler.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(DisplayNameGenerator.ReplaceUnderscores.class)
class ApiErrorTest {
  @Test
  void of_a_job_that_is_not_there_every_setting_is_named_by_which_it_may_have_been_forgotten() {
    List<String> settings =
        ConfigFactory.load().getConfig("troupe.jobs").root().keySet().stream()
            .filter(key -> key.startsWith("remember"))
            .toList();
    String message = ApiError.jobNotFound("j1").message();
    assertThat(message.split("[^a-z.-]+", -1)).contains("troupe.jobs.remember", "job.keep");
    settings.forEach(setting -> assertThat(message).containsPattern("[. ]" + setting + "[,) ]"));
  }
}
